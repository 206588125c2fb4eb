// SPDX-License-Identifier: GPL-2.0-only
//
// See machine.h. Registers of edu are those of QEMU's docs/specs/edu.

#include "compare/machine.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace vtd::compare {

namespace {

constexpr u64 registers = 0xfed90000;
constexpr u64 bars = 0xe0000000;                     // of the devices, a megabyte each
constexpr u64 buffer = 0x40000;                      // edu's, of 4096 bytes
constexpr unsigned patience = 1'000'000;             // times that a device is asked
constexpr u64 buffer_used = page_size - sizeof(u64); // it does not let the last byte be
constexpr int patience_ms = 30'000;

// 11.4.4, 11.4.5, 11.4.9, 11.4.14
constexpr unsigned gcmd = 0x18, rtaddr = 0x20, fsts = 0x34;
constexpr u32 translation = 1U << 31, srtp = 1U << 30;

struct Place {
    unsigned slot, function;
    bool behind_port;
};
// Low and high device numbers, functions other than 0, and another bus.
constexpr std::array<Place, 4> places{
    {{3, 0, false}, {0x11, 5, false}, {0x1e, 0, false}, {0, 0, true}}};
constexpr unsigned other_bus = 5;
constexpr Rid port = Rid::of(0, 7, 0);

} // namespace

Machine::Machine(std::vector<std::string> qemu, const std::string& options) {
    std::string name = "/dev/shm/vtd-compare.XXXXXX";
    if (!mkdtemp(name.data()))
        throw std::runtime_error("no folder in /dev/shm can be made");
    folder_ = name;

    const std::string memory = folder_ + "/ram", path = folder_ + "/qtest";
    const int file = open(memory.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, ram_size))
        throw std::runtime_error("no room in /dev/shm");
    void* mapped = mmap(nullptr, ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        throw std::runtime_error("the RAM file cannot be mapped");
    ram_ = static_cast<u64*>(mapped);

    // Debian's QEMU has no accelerator that only waits for qtest.
    const std::string firmware = folder_ + "/firmware";
    std::vector<char> halts(64 << 10, '\xf4');
    std::FILE* const image = std::fopen(firmware.c_str(), "wb");
    if (!image || std::fwrite(halts.data(), halts.size(), 1, image) != 1 || std::fclose(image))
        throw std::runtime_error("no room in /dev/shm");

    const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (bind(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) || listen(server, 1))
        throw std::runtime_error("no socket for qtest can be made");

    for (const std::string& more :
         {std::string("-nodefaults"), std::string("-display"), std::string("none"),
          std::string("-machine"), std::string("q35,accel=tcg,memory-backend=m0"),
          // A processor that sleeps, and time that passes as fast as timers ask for it.
          std::string("-bios"), firmware, std::string("-icount"), std::string("shift=0,sleep=off"),
          std::string("-m"), fmt::format("{}M", ram_size >> 20), std::string("-object"),
          fmt::format("memory-backend-file,id=m0,size={},share=on,mem-path={}", ram_size, memory),
          std::string("-qtest"), "unix:" + path, std::string("-qtest-log"),
          std::string("/dev/null"), std::string("-device"), "intel-iommu,intremap=off," + options,
          std::string("-device"),
          fmt::format("pcie-root-port,id=port0,addr={:#x}", port.devfn() >> 3)})
        qemu.push_back(more);
    for (const Place& place : places) {
        qemu.emplace_back("-device");
        if (place.behind_port) {
            qemu.emplace_back("edu,dma_mask=0xffffffffffffffff,bus=port0");
            rids_.push_back(Rid::of(other_bus, 0, 0));
            continue;
        }
        // A function other than 0 is looked at only if there is a 0.
        if (place.function) {
            qemu.push_back(fmt::format("edu,addr={:#x}.0,multifunction=on", place.slot));
            qemu.emplace_back("-device");
        }
        qemu.push_back(fmt::format("edu,dma_mask=0xffffffffffffffff,addr={:#x}.{:#x}", place.slot,
                                   place.function));
        rids_.push_back(Rid::of(0, place.slot, place.function));
    }

    pid_ = fork();
    if (pid_ == 0) {
        // It tells of each fault; only what it says at the end of its life matters.
        const int log = open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(log, STDERR_FILENO);
        std::vector<char*> argv;
        for (std::string& word : qemu)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        execvp(argv[0], argv.data());
        std::perror(argv[0]);
        _exit(127);
    }
    pollfd waiting{.fd = server, .events = POLLIN, .revents = 0};
    for (int ms = 0; poll(&waiting, 1, 100) != 1; ms += 100)
        if (ms >= patience_ms || waitpid(pid_, nullptr, WNOHANG) == pid_)
            throw std::runtime_error("QEMU does not come up: " + last_words());
    const int connection = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
    close(server);
    lines_ = fdopen(connection, "r+");

    // The port forwards its bus and the memory of the device behind it.
    configure(port, 0x18, other_bus << 16 | other_bus << 8);
    const u32 window = static_cast<u32>(bars + (places.size() - 1) * 0x100000) >> 16;
    configure(port, 0x20, window << 16 | window);
    configure(port, 0x04, 6);
    for (std::size_t i = 0; i < rids_.size(); i++) {
        configure(rids_[i], 0x10, static_cast<u32>(bars + i * 0x100000));
        configure(rids_[i], 0x04, 6); // memory, bus master
    }
}

Machine::~Machine() {
    if (lines_)
        std::fclose(lines_);
    if (pid_ > 0) {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
    }
    if (ram_)
        munmap(ram_, ram_size);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string Machine::last_words() const {
    std::ifstream log(folder_ + "/log");
    std::string line, last;
    while (std::getline(log, line))
        last = line;
    return last;
}

std::string Machine::command(const std::string& line) {
    std::fseek(lines_, 0, SEEK_CUR); // between writing and reading
    std::fputs((line + "\n").c_str(), lines_);
    std::fflush(lines_);
    char reply[256];
    do
        if (!std::fgets(reply, sizeof(reply), lines_))
            throw std::runtime_error("QEMU ended: " + last_words());
    while (std::string_view(reply).starts_with("IRQ"));
    std::string answer = reply;
    if (!answer.starts_with("OK"))
        throw std::runtime_error(line + ": " + answer);
    return answer.substr(answer.find(' ') + 1);
}

u64 Machine::read64(unsigned reg) {
    return std::stoull(command(fmt::format("readq {:#x}", registers + reg)), nullptr, 0);
}
void Machine::write32(unsigned reg, u32 value) {
    command(fmt::format("writel {:#x} {:#x}", registers + reg, value));
}
void Machine::write64(unsigned reg, u64 value) {
    command(fmt::format("writeq {:#x} {:#x}", registers + reg, value));
}

void Machine::configure(Rid rid, unsigned offset, u32 value) {
    command(fmt::format("outl 0xcf8 {:#x}", 0x80000000U | u32{rid.value} << 8 | offset));
    command(fmt::format("outl 0xcfc {:#x}", value));
}

void Machine::enable(bool on) { write32(gcmd, on ? translation : 0); }

void Machine::translate(u64 value) {
    write64(rtaddr, value);
    write32(gcmd, srtp);
    enable(true);
    (void)fault();
}

void Machine::dma(std::size_t device, u64 from, u64 to, u64 bytes, bool to_ram) {
    const u64 bar = bars + device * 0x100000;
    command(fmt::format("writeq {:#x} {:#x}", bar + 0x80, from));
    command(fmt::format("writeq {:#x} {:#x}", bar + 0x88, to));
    command(fmt::format("writeq {:#x} {:#x}", bar + 0x90, bytes));
    command(fmt::format("writeq {:#x} {:#x}", bar + 0x98, to_ram ? 3 : 1));
    for (unsigned n = 0;
         std::stoull(command(fmt::format("readq {:#x}", bar + 0x98)), nullptr, 0) & 1;)
        if (n++ == patience)
            throw std::runtime_error("a DMA does not end");
}

void Machine::collect(std::size_t device, Hpa to) {
    enable(false);
    dma(device, buffer, to.value, buffer_used, true);
}

void Machine::fill(std::size_t device, Hpa from) {
    enable(false);
    dma(device, from.value, buffer, buffer_used, false);
}

std::optional<Record> Machine::read(std::size_t device, Iova from, unsigned slot) {
    dma(device, from.value, buffer + slot * sizeof(u64), sizeof(u64), false);
    return fault();
}

std::optional<Record> Machine::write(std::size_t device, Iova to, unsigned slot) {
    dma(device, buffer + slot * sizeof(u64), to.value, sizeof(u64), true);
    return fault();
}

// QEMU's unit has one record, and no others to overflow into.
std::optional<Record> Machine::fault() {
    const unsigned at = static_cast<unsigned>((read64(0x08) >> 24 & 0x3ff) * 16);
    const u64 high = read64(at + 8);
    if (!(high >> 63))
        return {};
    const Record record{
        static_cast<u8>(high >> 32), {static_cast<u16>(high)}, read64(at), (high >> 62 & 1) != 0};
    write32(at + 12, 1U << 31);
    write32(fsts, 1);
    return record;
}

} // namespace vtd::compare
