#!/bin/bash -eu
# SPDX-License-Identifier: GPL-2.0-only
# What OSS-Fuzz calls: it sets compiler, flags and engine, and wants fuzzers and inputs in $OUT.
fuzz=$(dirname "$(dirname "$(realpath "$0")")")
cmake -S "$fuzz" -B "$WORK/vtd-takeover" -G Ninja
cmake --build "$WORK/vtd-takeover"
for fuzzer in "$WORK"/vtd-takeover/*_fuzzer; do
	name=$(basename "$fuzzer")
	cp "$fuzzer" "$OUT/"
	(cd "$fuzz/corpus/${name%_fuzzer}" && zip -q "$OUT/${name}_seed_corpus.zip" -- *)
	printf '[libfuzzer]\nmax_len = 2048\n' > "$OUT/$name.options"
done
