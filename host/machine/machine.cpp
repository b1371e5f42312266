#include "host/machine/machine.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <set>

#include "host/machine/json_or_null.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(text);
}

fs::path cpu_folder(const fs::path& root, int cpu) {
  return root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu));
}

// How many different values a file of the CPUs' topology has: each socket and each core has its
// own.
ordered_json count_different(const fs::path& root, const std::vector<int>& cpus, const char* file) {
  std::set<std::string> values;
  for (const int cpu : cpus) {
    const auto value = first_line(cpu_folder(root, cpu) / "topology" / file);
    if (value) values.insert(*value);
  }
  return values.empty() ? ordered_json() : ordered_json(values.size());
}

ordered_json caches_json(const fs::path& root, int cpu) {
  ordered_json caches{{"l1d_bytes", nullptr}, {"l2_bytes", nullptr}, {"l3_bytes", nullptr}};
  for (int index = 0; index < 8; ++index) {
    const fs::path cache = cpu_folder(root, cpu) / "cache" / ("index" + std::to_string(index));
    const auto level = leading_number(first_line(cache / "level"));
    const auto kibibytes = leading_number(first_line(cache / "size"));  // "48K"
    if (!level || !kibibytes || first_line(cache / "type") == "Instruction") continue;
    const std::string name = *level == 1 ? "l1d_bytes" : "l" + std::to_string(*level) + "_bytes";
    caches[name] = *kibibytes * 1024;
  }
  return caches;
}

// The CPUs' worth of time that the narrowest control group may use: "150000 100000" is 1.5.
ordered_json cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const fs::path& group : control_groups(root)) {
    const std::string line = first_line(group / "cpu.max").value_or("");
    const auto quota = leading_number(line);  // nothing for "max"
    const auto period = leading_number(line.substr(line.find(' ') + 1));
    if (!quota || !period || *period <= 0) continue;
    const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    least = std::min(least.value_or(cpus), cpus);
  }
  return json_or_null(least);
}

// The firmware's maker and name of a virtual machine; "unknown" where only the CPU tells that it is
// one, and null on a machine that is real as far as it knows.
ordered_json hypervisor(const fs::path& root) {
  const std::string flags = value_of(root / "proc/cpuinfo", "flags").value_or("") + ' ';
  if (flags.find(" hypervisor ") == std::string::npos) return nullptr;
  const fs::path firmware = root / "sys/class/dmi/id";
  const std::string maker = first_line(firmware / "sys_vendor").value_or("");
  const std::string product = first_line(firmware / "product_name").value_or("");
  if (maker.empty() && product.empty()) return "unknown";
  return maker + (maker.empty() || product.empty() ? "" : " ") + product;
}

std::string kernel_release() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "";
}

}  // namespace

std::string cpu_name(const fs::path& root) {
  return value_of(root / "proc/cpuinfo", "model name").value_or("unknown");
}

std::vector<int> usable_cpus() {
  // The kernel refuses a set that is smaller than its own; a set of these holds 1024.
  std::vector<cpu_set_t> sets(8);
  const size_t bytes = sets.size() * sizeof(cpu_set_t);
  std::vector<int> cpus;
  if (sched_getaffinity(0, bytes, sets.data()) != 0) return cpus;
  for (int cpu = 0; cpu < static_cast<int>(8 * bytes); ++cpu) {
    if (CPU_ISSET_S(cpu, bytes, sets.data())) cpus.push_back(cpu);
  }
  return cpus;
}

ordered_json host_json(const fs::path& root, const std::vector<int>& cpus) {
  ordered_json host;
  host["cpu"] = cpu_name(root);
  host["sockets"] = count_different(root, cpus, "physical_package_id");
  host["cores"] = count_different(root, cpus, "thread_siblings_list");
  host["threads"] = cpus.size();
  host["cpu_quota"] = cpu_quota(root);
  host["caches"] = caches_json(root, cpus.empty() ? 0 : cpus.front());
  const auto kibibytes = leading_number(value_of(root / "proc/meminfo", "MemTotal"));
  host["memory_bytes"] = kibibytes ? ordered_json(*kibibytes * 1024) : ordered_json();
  host["os"] = json_or_null(value_of(root / "etc/os-release", "PRETTY_NAME"));
  host["kernel"] = text_or_null(kernel_release());
  host["hypervisor"] = hypervisor(root);
  return host;
}

ordered_json gpus_json(const Nvml& nvml) {
  ordered_json gpus = ordered_json::array();
  for (const GpuFacts& gpu : nvml.gpus()) {
    gpus.push_back({{"name", text_or_null(gpu.name)},
                    {"uuid", text_or_null(gpu.uuid)},
                    {"driver", text_or_null(gpu.driver)},
                    {"compute_capability", text_or_null(gpu.compute_capability)},
                    {"memory_bytes", json_or_null(gpu.memory_bytes)}});
  }
  return gpus;
}

ordered_json machine_json() {
  ordered_json machine = host_json();
  const auto nvml = Nvml::open();
  if (const auto* opened = std::get_if<Nvml>(&nvml)) machine["gpus"] = gpus_json(*opened);
  return machine;
}

std::string gpu_uuid(const std::vector<Detail>& details) {
  for (const Detail& detail : details) {
    const auto* text = std::get_if<std::string>(&detail.value);
    if (text && detail.group == "gpu" && detail.name == "uuid") return *text;
  }
  return "";
}

}  // namespace digitron
