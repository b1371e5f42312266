#include "host/bench/roofline.h"

#include <spdlog/fmt/fmt.h>

#include "host/files/json.h"
#include "host/text/table.h"

namespace digitron {

namespace {

std::string in_giga(double per_second) {
  return fmt::format("{:.1f}", per_second / 1e9);
}

Row ceiling_row(const char* name, int64_t work, const char* unit, double rate, double ceiling,
                double share, const std::string& measured) {
  return {name,
          fmt::format("{} {}", grouped(work), unit),
          in_giga(rate),
          in_giga(ceiling),
          fmt::format("{:.1f} %", 100 * share),
          measured};
}

nlohmann::ordered_json ceiling_json(double rate, double ceiling, double share,
                                    const std::string& measured) {
  return {{"per_second", rate}, {"ceiling", ceiling}, {"share", share}, {"measured", measured}};
}

}  // namespace

StepWork step_work(const Plan& plan, const Optimizer& optimizer) {
  const auto float_bytes = static_cast<int64_t>(sizeof(float));
  int64_t kept = 0;  // floats
  for (const State which : kStates) {
    if (which == State::kRunningStatistics || !uses(optimizer, which)) continue;
    kept += static_cast<int64_t>(plan.parameter_count);
  }
  for (const Buffer& buffer : plan.buffers) kept += static_cast<int64_t>(buffer.count);
  return {.flops = plan.flops_forward + plan.flops_backward,
          .bytes = plan.batch * (static_cast<int64_t>(plan.pixels()) + 1) + 2 * kept * float_bytes};
}

std::string roofline_table(const Roofline& roofline) {
  const Ceilings& ceilings = roofline.ceilings;
  const std::vector<Row> rows{
      {"", "of a step", "G/s", "ceiling", "share", "the ceiling is"},
      ceiling_row("compute", roofline.work.flops, "FLOPs", roofline.flops_per_second(),
                  ceilings.flops_per_second, roofline.compute_share(), ceilings.compute),
      ceiling_row("memory", roofline.work.bytes, "bytes", roofline.bytes_per_second(),
                  ceilings.bytes_per_second, roofline.memory_share(), ceilings.memory)};
  return format_table(rows, "lrrrrl") +
         fmt::format(
             "A step takes {:.2f} us; at the ceilings its arithmetic takes {:.2f} us, and its "
             "memory "
             "traffic {:.2f} us, less where a cache holds the parameters\n"
             "FLOPs are counted as the layers are defined; a convolution may take fewer "
             "(Winograd)\n",
             1e6 * roofline.step_seconds, 1e6 * roofline.step_seconds * roofline.compute_share(),
             1e6 * roofline.step_seconds * roofline.memory_share());
}

nlohmann::ordered_json roofline_json(const Roofline& roofline) {
  const Ceilings& ceilings = roofline.ceilings;
  return {{"flops", roofline.work.flops},
          {"bytes", roofline.work.bytes},
          {"step_seconds", roofline.step_seconds},
          {"compute", ceiling_json(roofline.flops_per_second(), ceilings.flops_per_second,
                                   roofline.compute_share(), ceilings.compute)},
          {"memory", ceiling_json(roofline.bytes_per_second(), ceilings.bytes_per_second,
                                  roofline.memory_share(), ceilings.memory)}};
}

Roofline roofline_from_json(const nlohmann::ordered_json& json) {
  const nlohmann::ordered_json &compute = json.at("compute"), &memory = json.at("memory");
  return {
      {json.at("flops"), json.at("bytes")},
      json.at("step_seconds"),
      {compute.at("ceiling"), memory.at("ceiling"), compute.at("measured"), memory.at("measured")}};
}

}  // namespace digitron
