#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""One QEMU guest: accelerator, initramfs, QMP, serial line, frames on the wire, RAM file.

It runs a guest and lets others watch and stop it. What the guest's life means, and whether
a run went well, is not decided here.
"""

from __future__ import annotations

import json
import os
import queue
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from common import CACHE, die, run, say, which
from emulator import QEMU, Emulator
from qtest import Qtest

# QEMU's one unit: its registers (11.4 of the specification), those that tell of tables.
REGISTERS = 0xFED90000
REGISTER_BYTES = 0x100

INITRAMFS = Path(__file__).resolve().parent / "initramfs"

# Cheap enough to be on from the start.
TRACE_ALWAYS = [
    "vtd_dmar_enable",
    "vtd_dmar_fault",
    "vtd_fault_disabled",
    "vtd_irq_generate",
    "vtd_reg_dmar_root",
    "vtd_reg_ir_root",
    "vtd_reg_write_gcmd",
    "vtd_inv_desc_cc_global",
    "vtd_inv_desc_cc_domain",
    "vtd_inv_desc_cc_devices",
    "vtd_inv_desc_iotlb_global",
    "vtd_inv_desc_iotlb_domain",
    "vtd_inv_desc_iotlb_pasid",
    "vtd_switch_address_space",
    "pci_cfg_write",
]
# One or more lines a DMA: switched on shortly before the panic.
TRACE_PANIC = [
    "vtd_dmar_translate",
    "vtd_iotlb_page_hit",
    "vtd_iotlb_page_update",
    "e1000e_rx_desc_buff_write",
    "e1000e_rx_descr",
    "e1000e_core_ctrl_sw_reset",
    # Function-level resets: of an igb, of an NVMe controller. (No QEMU 7.2 has the first.)
    "e1000e_cb_qdev_reset_hold",
    "pci_nvme_pci_reset",
]


class NoResult(Exception):
    """Something that says nothing about the kernels spoilt a run: it has to be repeated."""


class QemuDied(NoResult):
    """QEMU itself ended with an error."""


@dataclass(frozen=True)
class Mark:
    """A moment: wall clock, and how much of the trace log had been written."""

    time: float
    trace: int


def accelerator() -> str:
    """KVM if a guest really runs in it, else TCG; found out once a boot of this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = CACHE / f"accelerator-{boot}"
    if known.exists():
        return known.read_text()
    # mov $0x2a,%al; out %al,$0xf4; hlt; jmp back: leaves QEMU with status 0x2a * 2 + 1.
    code = bytes([0xB0, 0x2A, 0xE6, 0xF4, 0xF4, 0xEB, 0xFD])
    answer = "tcg"
    with tempfile.NamedTemporaryFile() as sector:
        sector.write(code.ljust(510, b"\0") + b"\x55\xaa")
        sector.flush()
        try:
            done = subprocess.run(
                [QEMU, "-M", "q35,accel=kvm", "-display", "none", "-nodefaults",
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                 "-drive", f"file={sector.name},format=raw,snapshot=on"],
                capture_output=True, check=False, timeout=5)
            answer = "kvm" if done.returncode == 0x2A * 2 + 1 else "tcg"
        except subprocess.TimeoutExpired:
            pass
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(answer)
    say(f"accelerator: {answer}")
    return answer


class Cpio:
    """An initramfs image (newc format), built in memory so that it needs no root rights."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.inode = 0
        self.made: set[str] = set()

    def entry(self, name: str, mode: int, body: bytes = b"", device: tuple[int, int] = (0, 0)
              ) -> None:
        self.inode += 1
        fields = [self.inode, mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(name) + 1, 0]
        self.data += b"070701" + b"".join(b"%08X" % f for f in fields)
        self.data += name.encode() + b"\0"
        self.pad()
        self.data += body
        self.pad()

    def pad(self) -> None:
        self.data += bytes(-len(self.data) % 4)

    def file(self, name: str, body: bytes, mode: int = 0o100755) -> None:
        """A file, and the folders that lead to it."""
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in self.made:
                self.made.add(str(parent))
                self.entry(str(parent), 0o040755)
        self.entry(name, mode, body)

    def program(self, name: str) -> None:
        """A program of the host, with the libraries it is linked with."""
        path = which(name) or die(f"{name} is not installed")
        self.file(f"bin/{name}", Path(path).read_bytes())
        listing = run(["ldd", path], check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listing):
            if library not in self.made:
                self.made.add(library)
                self.file(library.lstrip("/"), Path(library).read_bytes())

    def image(self) -> bytes:
        self.entry("TRAILER!!!", 0)
        return bytes(self.data) + bytes(-len(self.data) % 512)


def initramfs(bzimage: Path, row: dict[str, str], layers: Sequence[str] = ("crash.cpio",),
              early: Mapping[str, bytes] | None = None,
              early_crash: Mapping[str, bytes] | None = None) -> bytes:
    """The first kernel's initramfs; inside it lie a kernel and a second one for that.

    layers: the names of the inner ones, from within. One is crash.cpio for the kdump kernel; two
    for a kernel that only starts the first one by kexec.
    All begin with the early files: those a kernel looks for before it unpacks anything. The kdump
    kernel's may be others.
    """
    settings = "".join(f"{key}='{value}'\n" for key, value in row.items()).encode()

    def base(begin: Mapping[str, bytes] | None) -> Cpio:
        cpio = Cpio()
        for name, body in (begin or {}).items():
            cpio.file(name, body, 0o100644)
        cpio.file("dev/console", b"", 0o020600)
        cpio.program("busybox")
        cpio.entry("bin/sh", 0o120777, b"busybox")
        cpio.program("kexec")
        cpio.program("makedumpfile")
        cpio.file("init", (INITRAMFS / "init").read_bytes())
        for script in sorted(INITRAMFS.iterdir()):
            if script.name != "init":
                cpio.file(f"lib/kdump/{script.name}", script.read_bytes())
        cpio.file("lib/kdump/row", settings)
        return cpio

    image = base(early_crash or early).image()
    for name in layers:
        around = base(early)
        around.file("bzImage", bzimage.read_bytes())
        around.file(name, image)
        image = around.image()
    return image


class Qmp:
    """QEMU's control socket: one command at a time; events are kept."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.replies: queue.Queue[dict[str, object] | None] = queue.Queue()
        self.events: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.replies.get(timeout=30)
        self.command("qmp_capabilities")

    def _read(self) -> None:
        try:
            with self.socket.makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "event" in message:
                        self.events.append(message["event"])
                    else:
                        self.replies.put(message)
        except (OSError, ValueError):
            pass
        self.replies.put(None)

    def command(self, name: str, **arguments: object) -> object:
        try:
            message = json.dumps({"execute": name, "arguments": arguments})
            self.socket.sendall(message.encode() + b"\n")
            reply = self.replies.get(timeout=60)
        except (OSError, queue.Empty) as error:
            raise QemuDied(f"QMP {name}: {error}") from error
        if reply is None:
            raise QemuDied(f"QMP {name}: QEMU is gone")
        if "error" in reply:
            die(f"QMP {name} {arguments}: {reply['error']}")
        return reply["return"]


class Serial:
    """The serial line: each line stamped with the host's clock, kept, and logged."""

    def __init__(self, path: Path, log: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.log = log
        self.lines: list[tuple[float, str]] = []
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        with self.log.open("w") as log:
            while True:
                try:
                    data = self.socket.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                now = time.time()
                *whole, rest = (rest + data).split(b"\n")
                if not whole:  # it comes in pieces of a few characters: nobody needs to wake up
                    continue
                with self.news:
                    for raw in whole:
                        line = raw.decode(errors="replace").rstrip("\r")
                        self.lines.append((now, line))
                        log.write(f"{now:.6f} {line}\n")
                    log.flush()
                    self.news.notify_all()


# All hear them; the sender and the kind are nobody's.
FRAME_HEADER = b"\xff" * 6 + b"\x52\x54\x00\xfe\xed\x01" + b"\x88\xb5"


def frame_mark(wire: int) -> bytes:
    """What all frames on a wire are full of, and nothing else is."""
    return b"vtdframe" + struct.pack(">I", wire)


class Frames(threading.Thread):
    """Broadcast Ethernet frames into the guest's network cards.

    A receive ring holds about 250 frames and nobody refills it after the panic. So frames
    trickle until the new root table is installed, come fast in the short time from there to
    the driver's reset of the card, and trickle again.

    QEMU's e1000e must not get two at once: if a second interrupt is held back while MSI-X is off,
    its timer goes on for ever, and fails an assertion when the driver switches MSI-X on. QEMU takes
    nothing in while it changes address spaces, as for the new root table. So each frame waits until
    the card has told of the one before.
    """

    SLOW, FAST = 0.2, 0.005
    FAST_FRAMES = 150
    BODY = 64  # bytes
    TAKEN = b"e1000e_rx_descr"

    def __init__(self, wires: Sequence[tuple[int, int]], trace: Path,
                 fast_frames: int = FAST_FRAMES, late: str = "", body: int = BODY) -> None:
        super().__init__(daemon=True)
        self.fast_frames = fast_frames
        self.late = late.encode()  # none before this event, as long as there is an old root table
        self.body = body
        self.wires = wires
        self.trace = trace
        self.after = trace.stat().st_size
        self.sent = 0
        self.tells = False  # is there a card that tells of each frame?
        self.running = threading.Event()
        self.over = False

    def run(self) -> None:
        outlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fast = 0
        rooted = taken = False
        last = 0.0
        with self.trace.open("rb") as trace:
            trace.seek(self.after)
            while not self.over:
                self.running.wait()
                news = trace.read()
                rooted = rooted or b"vtd_reg_dmar_root" in news
                # Once translation is off there may never be a new root table.
                if rooted or self.late in news or b"vtd_dmar_enable enable 0" in news:
                    self.late = b""
                if self.late:
                    time.sleep(self.FAST)
                    continue
                if self.TAKEN in news:
                    self.tells = taken = True
                hurry = rooted and fast < self.fast_frames and (taken or not self.tells)
                if hurry or time.monotonic() - last >= self.SLOW:
                    last = time.monotonic()
                    for wire, (here, _) in enumerate(self.wires):
                        word = frame_mark(wire) + struct.pack(">I", self.sent)
                        body = word * (self.body // len(word))
                        outlet.sendto(FRAME_HEADER + body, ("127.0.0.1", here))
                    self.sent += 1
                    fast += hurry
                    taken = False
                time.sleep(self.FAST)


def free_ports(count: int) -> list[int]:
    """UDP ports nobody uses now, kept apart by holding all of them at once."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass(frozen=True)
class Config:
    """What a guest is made of."""

    emulator: Emulator
    kernel: Path  # the first one
    crash_kernel: Path
    append: str
    row: dict[str, str]
    iommu: str
    memory: int  # bytes
    devices: Sequence[str]  # QEMU -device values; {disk}, {net}, {audio} stand for back ends
    disk: Path
    accel: str
    layers: Sequence[str] = ("crash.cpio",)  # see initramfs()
    trace: Sequence[str] = ()  # events from the start, beside those that always are
    cpus: int = 2
    phys_bits: int = 0  # of physical addresses; 0: as QEMU has them
    early: Mapping[str, bytes] = field(default_factory=dict)  # files for the initramfs
    early_crash: Mapping[str, bytes] = field(default_factory=dict)  # the kdump kernel's instead
    qtest: bool = False  # a way to write to device registers
    machine: Sequence[str] = ()  # more options for QEMU
    fast_frames: int = Frames.FAST_FRAMES  # 0 where the ring has to last to the end
    late_frames: str = ""  # none before this event of the trace, or the new root table
    frame_body: int = Frames.BODY  # bytes


class Guest:
    """A running guest. Stop it, look, let it go on; close() leaves nothing behind."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.trace = folder / "trace.log"
        first = initramfs(config.crash_kernel, config.row, config.layers, config.early,
                          config.early_crash)
        self.private = Path(tempfile.mkdtemp(prefix="vtd-guest-", dir="/dev/shm"))
        self.ram = self.private / "ram"
        self.wires: list[tuple[int, int]] = []
        self.pauses: list[tuple[float, float]] = []
        self.stopped_at = 0.0
        self.frames: Frames | None = None
        self.trace.write_bytes(b"")
        (self.private / "initrd").write_bytes(first)
        # A file cannot block QEMU as a full pipe would.
        with (folder / "qemu.log").open("w") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Control-C is for us, and we end it
                env={**os.environ, **config.emulator.environment})
        try:
            self.wait_path(self.private / "qmp")
            self.wait_path(self.private / "serial")
            self.serial = Serial(self.private / "serial", folder / "serial.log")
            self.qmp = Qmp(self.private / "qmp")
            self.qmp.command("cont")
        except BaseException:
            self.close()
            raise

    def wait_path(self, path: Path) -> None:
        end = time.monotonic() + 30
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                die(f"QEMU does not start: {(self.folder / 'qemu.log').read_text()[-500:]}")
            time.sleep(0.02)

    def command(self) -> list[str]:
        config, private = self.config, self.private
        nets = sum("{net}" in device for device in config.devices)
        ports = free_ports(2 * nets)
        arguments = [
            config.emulator.program, *config.emulator.options,
            "-nodefaults", "-no-user-config", "-display", "none",
            "-M", f"q35,accel={config.accel},kernel-irqchip=split,memory-backend=ram",
            "-cpu", f"max,phys-bits={config.phys_bits}" if config.phys_bits else "max",
            "-smp", str(config.cpus), "-m", f"{config.memory >> 20}M",
            "-object", f"memory-backend-file,id=ram,size={config.memory},"
                       f"mem-path={self.ram},share=on",
            "-kernel", str(config.kernel), "-initrd", str(private / "initrd"),
            "-append", config.append,
            "-chardev", f"socket,id=serial,path={private / 'serial'},server=on,wait=off",
            "-serial", "chardev:serial",
            "-qmp", f"unix:{private / 'qmp'},server=on,wait=off",
            "-S", "-no-reboot", "-no-shutdown",
            "-D", str(self.trace), "-msg", "timestamp=on", *config.machine,
        ]
        if config.qtest:
            arguments += ["-qtest", f"unix:{private / 'qtest'},server=on,wait=off",
                          "-qtest-log", "none"]
        for event in [*TRACE_ALWAYS, *config.trace]:
            arguments += ["-trace", event]
        # The IOMMU comes first: devices ask for it when they are made.
        arguments += ["-device", f"intel-iommu,{config.iommu}"]
        arguments += ["-drive", f"if=none,id=disk,file={config.disk},format=raw,cache=unsafe"]
        if any("{audio}" in device for device in config.devices):
            arguments += ["-audiodev", "none,id=audio"]
        for device in config.devices:
            if "{net}" in device:
                number = len(self.wires)
                here, there = ports[2 * number:2 * number + 2]
                self.wires.append((here, there))
                arguments += ["-netdev", f"socket,id=net{number},udp=127.0.0.1:{there},"
                                         f"localaddr=127.0.0.1:{here}"]
                device = device.replace("{net}", f"net{number}")
            device = device.replace("{disk}", "disk").replace("{audio}", "audio")
            arguments += ["-device", device]
        return arguments

    def wait_line(self, patterns: Iterable[str], start: int, limit: float
                  ) -> tuple[int, re.Match[str]] | None:
        """The first serial line from number start on that matches; None: time is up, or
        the guest has ended."""
        expressions = [re.compile(p) for p in patterns]
        end = time.monotonic() + limit
        at = start
        while True:
            with self.serial.news:
                while at < len(self.serial.lines):
                    for expression in expressions:
                        match = expression.search(self.serial.lines[at][1])
                        if match:
                            return at, match
                    at += 1
                self.serial.news.wait(0.2)
                more = at < len(self.serial.lines)
            # A guest that prints without end, as one does in faults of faults, is late as well.
            late = time.monotonic() > end
            if more and not late:
                continue
            self.check()
            if late or "SHUTDOWN" in self.qmp.events:
                return None

    def check(self) -> None:
        code = self.process.poll()
        if code is not None:
            lines = (self.folder / "qemu.log").read_text(errors="replace").splitlines()
            last = [s for s in lines if "Assertion" in s] or lines[-1:]
            raise QemuDied(f"QEMU ended with status {code}: {' '.join(last)}")

    def write(self, text: str) -> None:
        self.serial.socket.sendall(text.encode() + b"\n")

    def stop(self) -> None:
        if self.frames:
            self.frames.running.clear()
        self.qmp.command("stop")
        self.stopped_at = time.time()

    def cont(self) -> None:
        self.pauses.append((self.stopped_at, time.time()))
        self.qmp.command("cont")
        if self.frames:
            self.frames.running.set()

    def mark(self) -> Mark:
        return Mark(time.time(), self.trace.stat().st_size)

    def monitor(self, line: str) -> str:
        return str(self.qmp.command("human-monitor-command", **{"command-line": line}))

    def trace_on(self, events: Sequence[str]) -> None:
        for event in events:
            self.monitor(f"trace-event {event} on")

    @cached_property
    def qtest(self) -> Qtest:
        """Writes to device registers from outside."""
        return Qtest(self.private / "qtest")

    def register(self, address: int) -> int:
        """A 32-bit device register, read from outside."""
        return int(self.monitor(f"xp /1xw {address:#x}").split(":")[1], 0)

    def registers(self) -> bytes:
        """The unit's registers, as they lie there."""
        found = self.monitor(f"xp /{REGISTER_BYTES // 4}xw {REGISTERS:#x}")
        words = [int(word, 0) for line in found.splitlines() if ":" in line
                 for word in line.split(":")[1].split()]
        return struct.pack(f"<{REGISTER_BYTES // 4}I", *words)

    def peek(self, physical: int, length: int) -> bytes:
        """Guest memory; the guest should be stopped. Must not cross the end of a RAM part."""
        with self.ram.open("rb") as ram:
            ram.seek(self.offset(physical))
            return ram.read(length)

    def poke(self, physical: int, data: bytes) -> None:
        with self.ram.open("r+b") as ram:
            ram.seek(self.offset(physical))
            ram.write(data)

    def offset(self, physical: int) -> int:
        at = ram_offset(physical, self.config.memory)
        return die(f"no RAM at {physical:#x}") if at is None else at

    def start_frames(self) -> None:
        self.frames = Frames(self.wires, self.trace, self.config.fast_frames,
                             self.config.late_frames, self.config.frame_body)
        self.frames.start()

    def close(self) -> None:
        if self.frames:
            self.frames.over = True
            self.frames.running.set()
        self.process.kill()
        self.process.wait()
        for name in ("ram", "ram.before", "registers", "initrd", "qmp", "qtest", "serial",
                     "gdb"):
            (self.private / name).unlink(missing_ok=True)
        self.private.rmdir()


class Piece(NamedTuple):
    """Where a part of the RAM file lies in the guest."""

    address: int
    size: int
    offset: int


def ram_pieces(memory: int) -> list[Piece]:
    """The parts of the RAM file.

    q35 puts RAM below 2.75 GiB in one piece; a guest with more has 2 GiB below the hole and
    the rest from 4 GiB on.
    """
    if memory < 0xB0000000:
        return [Piece(0, memory, 0)]
    low = 0x80000000
    return [Piece(0, low, 0), Piece(1 << 32, memory - low, low)]


def ram_offset(physical: int, memory: int) -> int | None:
    """Where a guest-physical address lies in the RAM file; None in the hole and above."""
    for piece in ram_pieces(memory):
        if 0 <= physical - piece.address < piece.size:
            return physical - piece.address + piece.offset
    return None
