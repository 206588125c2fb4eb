# SPDX-License-Identifier: GPL-2.0-only
#
# Names for what people do with this repository; the work is in scripts/. Nothing is built here
# directly: each script knows for itself what is up to date.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

S := $(CURDIR)/scripts

# An option is passed on only where it was given; the scripts say what is wrong with its value.
OPTIONS := KERNEL KDIR STOCK VARIANT SCENARIO SHARD SIGNOFF FUZZ_SECONDS KEEP
quote := '
given = $(if $($1),$2 '$(subst $(quote),'\'',$($1))')
flag = $(if $(filter-out 0 n no,$($1)),$2)
# Ends with an error if make was given an option that this target does not take.
takes = $(foreach each,$(filter-out $1,$(OPTIONS)),$(if $(filter command,$(origin $(each))), \
	$(error $@ takes no $(each), see make help)))

WHICH = $(call given,KERNEL,--kernel) $(call given,KDIR,--kdir)

.PHONY: help kernel kdump matrix report series core model inspect mutants coverage fuzz counts bench docs kunit lint check check-all clean

help: ## this list
	@echo 'make TARGET [NAME=value ...]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target what; do printf '%-12s %s\n' "$$target" "$$what"; done
	@echo
	@echo 'Options are in brackets behind the targets that take them:'
	@echo '  KERNEL=6.12     or 6.1, or 7.3      KDIR=path   a clean Linux tree of your own'
	@echo '  STOCK=1         without the takeover    VARIANT=debug   kernels with alarms on, or kcsan'
	@echo 'Kernels and caches: ~/.cache/vtd-takeover (VTD_TAKEOVER_CACHE); results: out/'

kernel: ## build a kernel; the last line is the path of its bzImage (KERNEL, KDIR, STOCK, VARIANT)
	@$(call takes,KERNEL KDIR STOCK VARIANT)$S/kernel.py $(WHICH) $(call flag,STOCK,--stock) $(call given,VARIANT,--variant)

kdump: ## crash it under DMA, save the dump, judge the run (KERNEL, STOCK, VARIANT, SCENARIO=row)
	@$(call takes,KERNEL STOCK VARIANT SCENARIO)$S/kdump $(call given,KERNEL,--kernel) $(call flag,STOCK,--stock) \
		$(call given,VARIANT,--variant) $(call given,SCENARIO,--scenario)

matrix: ## every row on every kernel, ours and stock; takes up where it was stopped (KERNEL, SHARD, SCENARIO='cmd-*', VARIANT)
	@$(call takes,KERNEL SHARD VARIANT SCENARIO)$S/matrix.py $(call given,KERNEL,--kernel) $(call given,SHARD,--shard) \
		$(call given,VARIANT,--variant) $(call given,SCENARIO,--scenario)

docs: ## write what vtd-sim says into README and the admin guide (after make model)
	@$(call takes)$S/strategies.py

report: ## the results as one page, out/report/index.html
	@$(call takes)$S/report.py

series: ## write the patches to out/series-VERSION, all or KERNEL's (KDIR, SIGNOFF='Name <mail>')
	@$(call takes,KERNEL KDIR SIGNOFF)$S/series.py $(WHICH) $(call given,SIGNOFF,--signoff)

core: ## compile the core in userspace and run its tests
	@$(call takes)$S/check.py --only core

model: ## run the core on a model of VT-d, and the model's own tests
	@$(call takes)$S/check.py --only model

inspect: ## build vtd-inspect; the last line is its path
	@$(call takes)$S/inspector.py

mutants: ## break the takeover in every known way; the last line says how often that was noticed
	@$(call takes)$S/mutants.py

fuzz: ## arbitrary bytes as what the crashed kernel left (FUZZ_SECONDS for each of five fuzzers, KEEP=1)
	@$(call takes,FUZZ_SECONDS KEEP)$S/fuzz.py $(call given,FUZZ_SECONDS,--seconds) $(call flag,KEEP,--keep)

coverage: ## count which lines and branches the tests execute; what is missing has to be explained
	@$(call takes)$S/gcov.py

counts: ## count instructions beside stock's, and compare with results/counts.json
	@$(call takes)$S/counts.py

bench: ## walk page tables of up to a terabyte, beside plain reads; writes results/bench.json
	@$(call takes)$S/bench.py

kunit: ## boot the kernel and let it run the takeover's KUnit suites
	@$(call takes)$S/check.py --only kunit

lint: ## hooks, patches, scripts and documents, without running them; all kernels, or KERNEL, KDIR
	@$(call takes,KERNEL KDIR)$S/lint.py $(WHICH)

check: ## lint, scripts, core, model, coverage, fuzz, counts, KUnit, some rows (35 minutes; cold up to an hour)
	@$(call takes)$S/check.py

check-all: ## the same with the whole matrix; takes up where it was stopped
	@$(call takes)$S/check.py --all

clean: ## remove out/; the cache of kernels stays
	@rm -rf out .mypy_cache scripts/.mypy_cache
	@find scripts -name __pycache__ -prune -exec rm -rf {} +
