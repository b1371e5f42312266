#include "host/train/step_capture.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "host/core/error.h"
#include "host/devices/cuda_module.h"

namespace digitron {

namespace {

constexpr int kCallsToRecord = 2;

// The whole text as a number from 1 on, or 0.
int64_t positive_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::max<int64_t>(0, value) : 0;
}

std::string option_text(StepRange range) {
  return fmt::format("{} {}:{}", range.option, range.first, range.last);
}

}  // namespace

StepRange parse_step_range(const char* option, const std::string& text) {
  const size_t colon = text.find(':');
  const std::string_view view = text;
  StepRange range{positive_number(view.substr(0, colon)), 0, option};
  if (colon != std::string::npos) range.last = positive_number(view.substr(colon + 1));
  if (range.first < 1 || range.last < range.first) {
    throw InputError(
        fmt::format("{} is '{}'; give the first and the last step, counted from 1, such as 200:240",
                    option, text));
  }
  return range;
}

StepCapture::StepCapture(StepRange range, const StepLayout& layout, std::function<void()> start,
                         std::function<void()> stop)
    : range_(range),
      layout_(layout),
      start_(std::move(start)),
      stop_(std::move(stop)),
      warm_up_(warm_up()) {
  if (range.last > layout.total) {
    throw InputError(fmt::format("{} goes beyond the run, which has {} steps; give steps of it",
                                 option_text(range), layout.total));
  }
  if (const int64_t allowed = first_allowed(); range.first < allowed) {
    const char* why = layout.steps_per_graph > 0 ? "before the step's graphs are recorded"
                                                 : "before the step where this run goes on";
    throw InputError(fmt::format("{} begins {}; the first step allowed is {}", option_text(range),
                                 why, allowed));
  }
  check_ragged();
}

StepCapture::WarmUp StepCapture::warm_up() const {
  if (layout_.steps_per_graph == 0) return {0, 0};
  const bool graphs = layout_.steps_per_graph > 1 && layout_.whole >= layout_.steps_per_graph;
  return {graphs ? kCallsToRecord : 0, kCallsToRecord};
}

int StepCapture::WarmUp::next(int64_t done, const StepLayout& layout) {
  const int whole_left = layout.whole - static_cast<int>(done % layout.all);
  if (graphs > 0 && whole_left >= layout.steps_per_graph) {
    --graphs;
    return layout.steps_per_graph;
  }
  if (singles > 0 && whole_left > 0) --singles;
  return 1;
}

int64_t StepCapture::first_allowed() const {
  WarmUp warm_up = warm_up_;
  int64_t done = layout_.done;
  while (!warm_up.over()) done += warm_up.next(done, layout_);
  return done + 1;
}

// An epoch's last batch, where it is a smaller one, has a graph of its own.
void StepCapture::check_ragged() const {
  if (layout_.steps_per_graph == 0 || layout_.whole == layout_.all) return;
  int64_t step = (layout_.done / layout_.all + 1) * layout_.all;
  for (int call = 0; call < kCallsToRecord; ++call, step += layout_.all) {
    if (range_.first > step || range_.last < step) continue;
    const int64_t recorded = step + (kCallsToRecord - 1 - call) * layout_.all;
    throw InputError(fmt::format(
        "{} has step {}, an epoch's last and smaller batch, whose graph is not recorded yet; end "
        "before it, or the first step allowed is {}",
        option_text(range_), step, recorded + 1));
  }
}

int StepCapture::next(int64_t done, int left, int wanted) {
  if (!warm_up_.over()) return std::min(left, warm_up_.next(done, layout_));
  const int64_t before = range_.first - 1;
  if (done < before) return static_cast<int>(std::min<int64_t>({left, wanted, before - done}));
  if (done >= range_.last) return std::min(left, wanted);
  if (done == before) start_();
  return static_cast<int>(std::min<int64_t>(left, range_.last - done));
}

void StepCapture::finished(int64_t done) {
  if (done == range_.last) stop_();
}

StepCapture profiler_capture(StepRange range, StepLayout layout, const Engine& engine) {
  const std::optional<int> steps_per_graph = engine.describe().steps_per_graph;
  layout.steps_per_graph = steps_per_graph.value_or(0);
  if (steps_per_graph) return {range, layout, start_cuda_profiler, stop_cuda_profiler};
  const auto nothing = [] {};
  StepCapture capture(range, layout, nothing, nothing);
  spdlog::warn(
      "Warning: --profile-steps tells CUDA's profilers what to capture, and the engine is not on a "
      "GPU: nothing is captured (digitron profile --with trace draws the steps of a CPU)");
  return capture;
}

}  // namespace digitron
