#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What can be said about our files without running them.

The series: its hooks fit, git am takes it, each patch builds alone without new warnings from the
compiler (W=1) and sparse (but on kernels whose own headers it does not understand), checkpatch has
nothing to say. Switched off, nothing of the takeover is compiled. The rest: types and style of the
Python files, shell scripts, spelling, documents. Runs no guest and no unit test.

All builds take as long as the rest of `make check`, which is why that has only the whole series
built, on and switched off.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kernel_mutants
import mutants
import series
from common import CACHE, TOP, Failure, main, need, run, step, write_whole
from hooks import resolve
from kernel import FRAGMENT, LINT, TAKEOVER, Tree, digest, needed as kernel_needed, symbol
from runner import attempt
from series import Step
from source import DEFAULT, KNOWN, Source, find
from tally import Tally

# Files that the series adds are looked after by its own MAINTAINERS entry.
TRACE_HEADER = re.compile(r"^CHECK:(PARENTHESIS_ALIGNMENT|OPEN_ENDED_LINE|SPACING): .*\n"
                          r"#\d+: FILE: \S+/trace\.h:")
CHECKPATCH = ("--strict", "--quiet", "--show-types", "--no-summary",
              "--ignore", "FILE_PATH_CHANGES")
WARNING = re.compile(r"^(?:\./)?([\w./-]+):(?:\d+:)*\s*((?:warning|error):.*)$")
# Sphinx knows these; docutils alone does not.
SPHINX = re.compile(r'Unknown (?:directive type|interpreted text role) "'
                    r'(?:toctree|kernel-doc|ref|doc|c:\w+)"')
# Other ways to configure the finished series: it must build there too.
NO_TESTS = "CONFIG_INTEL_IOMMU_TAKEOVER_KUNIT_TEST=n\n"
OFF = "CONFIG_INTEL_IOMMU_TAKEOVER=n\n"
VARIANTS = {
    "its tests switched off": NO_TESTS,
    "takeover switched off": OFF + NO_TESTS,
    "interrupt remapping switched off": "CONFIG_IRQ_REMAP=n\n" + NO_TESTS,
    "interrupt remapping without INTEL_IOMMU":
        NO_TESTS +
        OFF + "CONFIG_INTEL_IOMMU=n\nCONFIG_INTEL_IOMMU_SVM=n\n"
        "CONFIG_INTEL_IOMMU_DEBUGFS=n\nCONFIG_INTEL_IOMMU_DEFAULT_OFF=n\nCONFIG_IRQ_REMAP=y\n",
}
SHORT = "takeover switched off"  # the one of them that is always built
# Options that change what of the driver is compiled. Not among them: PCI_ATS, which INTEL_IOMMU
# selects, and PERF_EVENTS, which x86 does.
OPTIONS = {
    "INTEL_IOMMU_SVM": "CONFIG_INTEL_IOMMU_SVM=n\n",
    "IRQ_REMAP": "CONFIG_IRQ_REMAP=n\n",
    "PCI_IOV": "CONFIG_PCI_IOV=n\n",
    "INTEL_IOMMU_PERF_EVENTS": "CONFIG_INTEL_IOMMU_PERF_EVENTS=n\n",
    "DEBUG_FS": "CONFIG_DEBUG_FS=n\nCONFIG_IOMMU_DEBUGFS=n\nCONFIG_INTEL_IOMMU_DEBUGFS=n\n",
}
ALL_OFF = "".join(OPTIONS.values())
# On 32-bit x86 there is the driver, and neither interrupt remapping nor the takeover.
NARROW = "CONFIG_64BIT=n\nCONFIG_INTEL_IOMMU_SVM=n\nCONFIG_IRQ_REMAP=n\n"
CONFIGURATIONS = {
    **{f"without {name}": lines for name, lines in OPTIONS.items()},
    "without all of these": ALL_OFF,
    "without all of these and the takeover": ALL_OFF + OFF,
    "for 32 bits": NARROW,
    "for 32 bits, without all of these": NARROW + ALL_OFF,
}
# Of kernel.config these are for 64 bits only.
WIDE = frozenset(f"CONFIG_{name}" for name in (
    "CRASH_DUMP", "IA32_EMULATION", "KEXEC_FILE", "PROC_VMCORE", "PROC_VMCORE_DEVICE_DUMP",
    "VMAP_STACK", "VMD", "X86_X2APIC", "INTEL_IOMMU_TAKEOVER"))
# Bump when what is asked of a patch changes, or old answers would be believed.
EDITION = "3"


CORE = TOP / "drivers/iommu/intel/takeover"


def needed() -> None:
    """Ask for every program lint calls, before threads do."""
    kernel_needed()
    need("git", "spatch", "libpython3-dev", "unifdef", "sparse", "perl", "mypy", "flake8",
         "shellcheck", "codespell", "python3-docutils", "python3-pytest", "clang-format",
         "chromium")


# The series ----------------------------------------------------------------------------------


def lint_series(tally: Tally, version: str | None, kdir: str | None, jobs: int,
                thorough: bool) -> None:
    """Lint the series for one kernel."""
    try:
        source = find(version, kdir)
        with step(f"hooks on Linux {source.label}"):
            steps = series.assemble(source)
    except Failure as failure:
        tally.add(f"series for {version or kdir}: every hook finds its places", str(failure))
        return
    what = f"series for {source.version}"
    tally.add(f"{what}: every hook finds its places")
    tally.test(f"{what}: holds every kernel file, as it is here", complete, source, steps)
    if source.version == DEFAULT:
        tally.test("mutants of the kernel: each finds its place", unbroken, steps)
    with tempfile.TemporaryDirectory(prefix="lint-") as name:
        out = Path(name) / "series"
        if tally.test(f"{what}: git am on pristine files", git_am, source, steps, out,
                      Path(name)):
            for patch in sorted(out.glob("*.patch"))[1:]:
                tally.test(f"checkpatch for {source.version}: {patch.name}", checkpatch, source,
                           patch, Path(name))
    build(tally, source, steps, jobs, thorough)


def complete(source: Source, steps: list[Step]) -> str:
    """Compare the end of the series with the files that lie here."""
    final = {path: text for one in steps for path, text in one.changes.items()}
    problems = []
    for path in ours():
        if path.split("/")[0] not in series.OVERLAY:
            continue
        if path not in final:
            problems.append(f"{path}: no patch adds it")
        elif final[path] != resolve((TOP / path).read_text(), path, source.number):
            problems.append(f"{path}: the series ends with another text")
    return "\n".join(problems)


def unbroken(steps: list[Step]) -> str:
    """Return what the mutants say that change nothing in the patched kernel."""
    files = {path: text for one in steps for path, text in one.changes.items()}
    found = (attempt(series.broken, files, mutant.path) for mutant in kernel_mutants.load())
    return "\n".join(str(answer) for answer in found if isinstance(answer, Failure))


def git_am(source: Source, steps: list[Step], out: Path, scratch: Path) -> str | None:
    """Make the series, apply it to fresh files, compare."""
    try:
        who = series.identity(None)
    except Failure:
        # Nobody will see these patches; a fresh clone need not have a git user.
        who = "Nobody <nobody@example.org>"
    patches = series.make(source, who, out, steps)[1:]
    repository = series.Repository(scratch / "am", who)
    repository.write(series.base(source, steps))
    repository.commit("base\n")
    repository.git("am", "-q", "--whitespace=error-all", *patches)
    for path, text in {p: t for one in steps for p, t in one.changes.items()}.items():
        if (repository.path / path).read_text() != text:
            return f"{path} is not what the series means it to be"
    return None


def checkpatch(source: Source, patch: Path, scratch: Path) -> str:
    """Return what checkpatch says. It may write a cache where it runs: not into the source."""
    script = source.path / "scripts/checkpatch.pl"
    done = run(["perl", script, *CHECKPATCH, f"--root={source.path}", patch], cwd=scratch,
               check=False)
    return "" if done.returncode == 0 else complaints(done.stdout) or done.stderr.strip()


def complaints(output: str) -> str:
    """Return what of checkpatch's output counts.

    Its idea of a call does not fit the macros that a header of tracepoints is made of.
    """
    return "\n\n".join(said for said in re.split(r"\n\s*\n", output.strip())
                       if not TRACE_HEADER.search(said))


# Building ------------------------------------------------------------------------------------


def build(tally: Tally, source: Source, steps: list[Step], jobs: int, thorough: bool) -> None:
    """Build drivers/iommu at the end of the series, as it is and with the takeover switched off.

    thorough: after each patch as well, and in all other configurations.
    """
    tree = Tree(source, LINT)
    files: dict[str, str] = {}
    wanted = FRAGMENT.read_text() + TAKEOVER
    others = {**VARIANTS, **{name: lines + NO_TESTS for name, lines in CONFIGURATIONS.items()}}
    with tree.lock():
        before = warnings(tree, files, wanted, jobs)
        for one in steps:
            files = {**files, **one.changes}
            if thorough or one == steps[-1]:
                tally.test(f"builds on {source.version}: {one.name}", new_warnings, tree, files,
                           wanted, jobs, before)
        for name, lines in others.items():
            if not (thorough or name == SHORT):
                continue
            # On 32 bits the pristine driver has warnings of its own.
            plain = None if NARROW in lines else before
            tally.test(f"builds on {source.version}: {name}", new_warnings, tree, files,
                       wanted + lines, jobs, plain)


def new_warnings(tree: Tree, files: dict[str, str], wanted: str, jobs: int,
                 before: Counter[str] | None) -> str:
    """Return the warnings that the pristine tree does not give, in this configuration if asked."""
    if before is None:
        before = warnings(tree, {}, wanted, jobs)
    return "\n".join(sorted((warnings(tree, files, wanted, jobs) - before).elements()))


def warnings(tree: Tree, files: dict[str, str], wanted: str, jobs: int) -> Counter[str]:
    """Build drivers/iommu with these files; count the warnings about Intel's driver by text.

    Answers are kept by the content of everything that went in.
    """
    key = digest(EDITION, tree.source.label, wanted, json.dumps(files, sort_keys=True))
    kept = CACHE / "lint" / f"{key}.json"
    if kept.exists() and not tree.source.foreign:
        return Counter(json.loads(kept.read_text()))
    tree.prepare()
    tree.apply(files)
    # The takeover's own symbols come with some of the patches; they cannot survive before that.
    texts = "".join(files.values())
    names = [symbol(line) for line in TAKEOVER.splitlines()]
    excused = {name for name in names if f"config {name.removeprefix('CONFIG_')}\n" not in texts}
    narrow = NARROW in wanted
    tree.configure(wanted, files, excused | WIDE if narrow else excused)
    # Only what is compiled can warn: an object of an earlier, unfinished run must not hide it.
    for pattern in ("*.o", ".*.cmd"):
        for left in (tree.path / "drivers/iommu/intel").rglob(pattern):
            left.unlink()
    # So must not one that another configuration compiles.
    (tree.path / "drivers/iommu/irq_remapping.o").unlink(missing_ok=True)
    # On 32 bits sparse has its say about headers that are not ours.
    sparse = [] if tree.source.no_sparse or narrow else ["C=1"]
    with step(f"building drivers/iommu of {tree.path.name} with {len(files)} files changed"):
        tree.compile(["W=1", *sparse, "drivers/iommu/"], jobs)
    found: Counter[str] = Counter()
    if OFF in wanted:
        found.update(left_over(tree))
    for line in tree.log.read_text(errors="replace").splitlines():
        match = WARNING.match(line)
        if match and (match[1].startswith("drivers/iommu/intel/") or match[1] in files):
            found[f"{match[1]}: {match[2]}"] += 1
    write_whole(kept, json.dumps(found))
    return found


def left_over(tree: Tree) -> list[str]:
    """Return what is compiled of a takeover that is switched off: nothing may be."""
    objects = sorted((tree.path / "drivers/iommu").rglob("*.o"))
    if not {"dmar.o", "irq_remapping.o"} & {o.name for o in objects}:
        return ["nothing was compiled"]
    symbols = run(["nm", "-A", *objects]).stdout.splitlines()
    return [f"though switched off: {line.split(':', 1)[1].strip()}" for line in symbols
            if re.search(r"\b(intel_)?takeover_", line)]


# Everything else -----------------------------------------------------------------------------


def ours() -> list[str]:
    """Return the files of the checkout, committed or about to be."""
    done = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP)
    return sorted(p for p in set(done.stdout.splitlines()) if (TOP / p).is_file())


def first_line(path: str) -> str:
    """Return a file's first line, where the interpreter is named."""
    with (TOP / path).open(errors="replace") as file:
        return file.readline().strip()


def cplusplus(path: str) -> bool:
    """Tell a C++ header from the kernel's: checkpatch looks after those."""
    return "#pragma once" in (TOP / path).read_text(errors="replace")


def output(*args: str, files: list[str]) -> str:
    """Run a checker over files; return what it said if it was not content."""
    if not files:
        return "there is nothing to check"
    done = run([*args, *files], cwd=TOP, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or "failed"


def documents(files: list[str]) -> str:
    """Parse reStructuredText; return its errors."""
    problems = []
    for file in files:
        done = run([sys.executable, "-m", "docutils", "--report=2", "--writer=null", file],
                   cwd=TOP, check=False)
        problems += [line for line in done.stderr.splitlines()
                     if re.search(r"\((WARNING|ERROR|SEVERE)/\d\)", line)
                     and not SPHINX.search(line)]
    return "\n".join(problems)


MESSAGE = re.compile(r'(?:pr|dev|pci)_(?:err|warn|info)(?:_once|_ratelimited)?\('
                     r'(?:\w+, )?"([^"]+)\\n"')
# What stands in such a message for %s.
REASON = re.compile(r'(?:return|[=,?:])\s*"([a-z][^"%\\]* [^"%\\]*)"\s*[;),:]')
SILENT = ("debugfs.c", "kunit.c")  # what they print is not in the log
GUIDE = "Documentation/admin-guide/kdump/vtd-takeover.rst"


def explained(files: list[str]) -> str:
    """Return the messages of the kernel code that the admin guide does not tell of."""
    guide = " ".join((TOP / GUIDE).read_text().split())
    found = [message for file in files for message in MESSAGE.findall((TOP / file).read_text())]
    if len(found) < 10:
        return f"only {len(found)} messages found: is this still how they are printed?"
    # The longest piece without a conversion; the guide may end a long one early.
    pieces = {m: max(re.split(r"%[#0-9]*l*[a-z]", m), key=len).strip()[:50] for m in found}
    pieces |= {reason: reason for file in files if not file.endswith(SILENT)
               for reason in REASON.findall((TOP / file).read_text())}
    return "\n".join(m for m, piece in pieces.items() if piece not in guide)


def mutants_without_place() -> str:
    """Return the mutants whose semantic patch changes nothing: the code went on without them."""
    def lost(path: Path) -> str:
        mutant = mutants.Mutant.read(path)
        done = run(["spatch", "--very-quiet", "--sp-file", path, CORE / mutant.file], check=False)
        if done.returncode:
            return f"{mutant.name}: {done.stderr.strip()}"
        return "" if done.stdout else f"{mutant.name}: finds no place in {mutant.file}"

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return "\n".join(filter(None, pool.map(lost, sorted(mutants.FOLDER.glob("*.cocci")))))


def lint_files(tally: Tally) -> None:
    """Lint what is not the kernel's."""
    files = ours()
    python = [f for f in files if f.endswith(".py") or "python3" in first_line(f)]
    shell = [f for f in files if re.match(r"#!.*\b(ba)?sh\b|# shellcheck shell=", first_line(f))]
    rst = [f for f in files if f.endswith(".rst")]
    cpp = [f for f in files if f.endswith(".cpp") or (f.endswith(".h") and cplusplus(f))]
    tally.test("mypy --strict", lambda: output("mypy", "--strict", files=python))
    tally.test("flake8", lambda: output("flake8", files=python))
    tally.test("shellcheck", lambda: output("shellcheck", "-x", files=shell))
    tally.test("clang-format",
               lambda: output("clang-format", "--dry-run", "-Werror", files=cpp))
    tally.test("codespell", lambda: output("codespell", files=files))
    tally.test("documents parse", lambda: documents(rst) if rst else "there are none")
    core = [f for f in files if re.fullmatch(r"drivers/.*/takeover/\w+\.c", f)
            and not f.endswith("_test.c")]
    tally.test("admin guide: every message", lambda: explained(core))
    tally.test("mutants: each finds its place", mutants_without_place)


def lint(tally: Tally, versions: Sequence[str] = (DEFAULT,), kdir: str | None = None,
         jobs: int = 0, thorough: bool = True) -> None:
    """Run every lint test; if it need not be thorough, few builds: see build()."""
    lint_files(tally)
    for version in [None] if kdir else versions:
        lint_series(tally, version, kdir, jobs or os.cpu_count() or 1, thorough)


def command() -> int:
    """Entry point of `make lint`."""
    parser = argparse.ArgumentParser(description="Check our files without running them.")
    parser.add_argument("--kernel", metavar="VERSION", help="kernel the series is made for")
    parser.add_argument("--kdir", metavar="DIR", help="a clean Linux tree of your own instead")
    args = parser.parse_args()
    needed()
    tally = Tally()
    lint(tally, [args.kernel] if args.kernel else list(KNOWN), args.kdir)
    return tally.close()


if __name__ == "__main__":
    main(command)
