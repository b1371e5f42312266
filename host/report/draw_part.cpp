#include "host/report/draw_part.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "host/core/views.h"
#include "host/files/json.h"
#include "host/report/evaluation_part.h"
#include "host/report/figures.h"
#include "host/text/text.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

constexpr size_t kMostFloats = 300'000;  // 1.6 MB on the page

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

// Why the run's network cannot be on the page, "" when it can.
std::string obstacle(const RunRecord& run) {
  if (!run.plan || run.state.parameters.empty()) return "has no checkpoint that can be read";
  const Plan& plan = *run.plan;
  if (!shows_digits(plan.model.task)) {
    return fmt::format("tells {} classes of {} images apart, not MNIST\u2019s digits",
                       plan.model.task.class_count(), form_text(plan.model.task.image));
  }
  if (plan.parameter_floats + plan.buffer_floats > kMostFloats) {
    return fmt::format("is too large for a page, with {} parameters",
                       grouped(static_cast<int64_t>(plan.parameter_count)));
  }
  if (!all_finite(run.state.parameters) || !all_finite(run.state.buffers)) {
    return "has weights that are no finite numbers";
  }
  return "";
}

// The complete runs, the most accurate one first.
std::vector<const RunRecord*> ranked_runs(std::span<const RunGroup> groups) {
  std::vector<const RunRecord*> runs;
  for (const RunGroup& group : groups) {
    runs.insert(runs.end(), group.complete.begin(), group.complete.end());
  }
  std::stable_sort(runs.begin(), runs.end(), [](const RunRecord* a, const RunRecord* b) {
    return a->test_accuracy().value_or(0) > b->test_accuracy().value_or(0);
  });
  return runs;
}

// A layer as draw_digit.js has it under its kind; null for one that does nothing.
struct LayerJson {
  ordered_json operator()(const Conv2d& conv) const {
    return {{"kind", "conv"},
            {"kernel", conv.kernel},
            {"stride", conv.stride},
            {"padding", conv.padding}};
  }
  ordered_json operator()(const MaxPool2d& pool) const {
    return {{"kind", "maxpool"}, {"kernel", pool.kernel}, {"stride", pool.stride}};
  }
  ordered_json operator()(const AvgPool2d& pool) const {
    return {{"kind", "avgpool"}, {"kernel", pool.kernel}, {"stride", pool.stride}};
  }
  ordered_json operator()(const Linear&) const { return {{"kind", "fc"}}; }
  ordered_json operator()(const ReLU&) const { return {{"kind", "relu"}}; }
  ordered_json operator()(const BatchNorm2d&) const {
    return {{"kind", "bn"}, {"epsilon", BatchNorm2d::kEpsilon}};
  }
  ordered_json operator()(const Dropout&) const { return nullptr; }
};

ordered_json shape_json(const Shape& shape) {
  return {shape.channels, shape.height, shape.width};
}

// {"views": [[right, down], ...], "mean", "deviation", "layers": [{"kind", ..., "in", "out",
// "weight": [begin, end], ...}], "floats"}: the parameters and the running statistics after each
// other, in base64.
std::string network_json(const RunRecord& run) {
  const Plan& plan = *run.plan;
  ordered_json views = ordered_json::array();
  for (int i = 0; i < plan.model.views; ++i) views.push_back({kViews[i].right, kViews[i].down});
  ordered_json network{{"views", views},
                       {"mean", plan.model.task.mean[0]},
                       {"deviation", plan.model.task.deviation[0]}};
  ordered_json& layers = network["layers"] = ordered_json::array();
  for (const PlannedLayer& layer : plan.layers) {
    ordered_json json = std::visit(LayerJson{}, layer.layer);
    if (json.is_null()) continue;
    json["in"] = shape_json(layer.in);
    json["out"] = shape_json(layer.out);
    const auto add = [&](const char* name, const auto& tensor, size_t base) {
      const size_t begin = base + tensor.offset;
      json[name] = {begin, begin + tensor.count};
    };
    if (layer.parameters) {
      add("weight", plan.weight(layer), 0);
      add("bias", plan.bias(layer), 0);
    }
    if (layer.statistics) {
      add("mean", plan.running_mean(layer), plan.parameter_floats);
      add("variance", plan.running_variance(layer), plan.parameter_floats);
    }
    layers.push_back(json);
  }
  std::vector<float> floats = run.state.parameters;
  floats.insert(floats.end(), run.state.buffers.begin(), run.state.buffers.end());
  network["floats"] =
      base64({reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)});
  return network.dump();
}

std::string draw_caption(const RunRecord& run) {
  const std::optional<double> accuracy = run.test_accuracy();
  return fmt::format(
      "{} as {} left it{} runs in this page. What is drawn is scaled to 20 pixels and centred by "
      "its mass, as MNIST\u2019s digits are, and as digitron predict prepares a picture.",
      run.model_name, run_name(run),
      accuracy ? ", right on " + percent(*accuracy) + " of the test images," : "");
}

}  // namespace

std::vector<DocumentBlock> draw_blocks(std::span<const RunGroup> groups) {
  const std::vector<const RunRecord*> runs = ranked_runs(groups);
  if (runs.empty()) return {};
  const auto best = std::find_if(runs.begin(), runs.end(),
                                 [](const RunRecord* run) { return obstacle(*run).empty(); });
  const Heading heading{2, "Draw a digit"};
  if (best != runs.end()) return {heading, DrawDigit{draw_caption(**best), network_json(**best)}};
  return {heading, Paragraph{fmt::format("No network reads digits here: the best run, {}, {}.",
                                         run_name(*runs.front()), obstacle(*runs.front()))}};
}

}  // namespace digitron
