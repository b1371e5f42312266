#include "host/text/inspect.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace digitron {

namespace {

constexpr const char* kTimes = " \u00d7 ";

std::string shape_text(const Shape& shape) {
  if (shape.height == 1 && shape.width == 1) return std::to_string(shape.channels);
  return fmt::format("{}\u00d7{}\u00d7{}", shape.channels, shape.height, shape.width);
}

// "5×5 pad 2", "p 0.5"; by what the kind of layer has.
template <class Kind>
std::string kernel_text(const Kind& layer) {
  std::string text;
  if constexpr (requires { layer.kernel; }) {
    text = fmt::format("{0}\u00d7{0}", layer.kernel);
    if (layer.stride > 1) text += fmt::format(" stride {}", layer.stride);
  }
  if constexpr (requires { layer.padding; }) {
    if (layer.padding > 0) text += fmt::format(" pad {}", layer.padding);
  }
  if constexpr (requires { layer.probability; }) text = fmt::format("p {}", layer.probability);
  return text.empty() ? "-" : text;
}

std::string kernel_text_of(const Layer& layer) {
  return std::visit([](const auto& kind) { return kernel_text(kind); }, layer);
}

int64_t activation_bytes(const PlannedLayer& layer, int batch) {
  return int64_t{layer.out.count()} * batch * static_cast<int64_t>(sizeof(float));
}

}  // namespace

std::string parameter_arithmetic(const Plan& plan, const PlannedLayer& layer) {
  if (!layer.parameters) return "";
  const std::vector<int64_t>& dims = plan.weight(layer).dims;
  const std::string total = " = " + grouped(parameter_count(plan, layer));
  const std::string out = std::to_string(dims[0]);
  if (dims.size() == 1) return out + " + " + out + total;
  const std::string inputs = fmt::format("{}", fmt::join(dims.begin() + 1, dims.end(), kTimes));
  return (dims.size() > 2 ? "(" + inputs + ")" : inputs) + kTimes + out + " + " + out + total;
}

std::vector<Row> plan_rows(const Plan& plan) {
  std::vector<Row> rows{{"Layer", "Input", "Output", "Kernel", "Parameters", "FLOPs forward",
                         "FLOPs backward", "Activation bytes"}};
  int64_t bytes = 0;
  for (const PlannedLayer& layer : plan.layers) {
    const std::string arithmetic = parameter_arithmetic(plan, layer);
    bytes += activation_bytes(layer, plan.batch);
    rows.push_back({layer.name, shape_text(layer.in), shape_text(layer.out),
                    kernel_text_of(layer.layer), arithmetic.empty() ? "-" : arithmetic,
                    grouped(layer.flops_forward), grouped(layer.flops_backward),
                    grouped(activation_bytes(layer, plan.batch))});
  }
  rows.push_back({"Total", "", "", "", grouped(static_cast<int64_t>(plan.parameter_count)),
                  grouped(plan.flops_forward), grouped(plan.flops_backward), grouped(bytes)});
  return rows;
}

std::string views_sentence(const Model& model) {
  if (model.views == 1) return "";
  return fmt::format(
      "Evaluation and prediction take each image in {} places, a pixel apart, and the mean of its "
      "logits.",
      model.views);
}

std::string plan_table(const Plan& plan) {
  const auto parameters = static_cast<int64_t>(plan.parameter_count);
  const int64_t parameter_bytes = parameters * static_cast<int64_t>(sizeof(float));
  return fmt::format(
      "{}: {} parameters, {} bytes in fp32\n\n{}\n"
      "FLOPs and bytes are for one step at batch {}; a multiply-add counts 2 FLOPs,\n"
      "and backward leaves out the gradient of the images, which nobody needs.\n{}{}",
      plan.model.name, grouped(parameters), grouped(parameter_bytes),
      format_table(plan_rows(plan), "llllrrrr"), plan.batch, views_sentence(plan.model),
      plan.model.views == 1 ? "" : "\n");
}

std::vector<int> predicted_classes(std::span<const float> logits, int classes) {
  const auto count = static_cast<size_t>(classes);
  std::vector<int> predicted;
  for (size_t row = 0; row + count <= logits.size(); row += count) {
    const std::span<const float> values = logits.subspan(row, count);
    const auto largest = std::max_element(values.begin(), values.end());
    predicted.push_back(static_cast<int>(largest - values.begin()));
  }
  return predicted;
}

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits) sum += probabilities.emplace_back(std::exp(logit - largest));
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

std::string class_text(const Task& task, size_t index) {
  const std::string number = std::to_string(index);
  return task.classes[index] == number ? number : number + ' ' + task.classes[index];
}

namespace {

// The three likeliest classes, each with its probability.
void append_likeliest(Row& row, const Task& task, const std::vector<double>& probabilities) {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  for (size_t i = 0; i < 3; ++i) {
    const bool there = i < order.size();
    row.push_back(there ? class_text(task, order[i]) : "");
    row.push_back(there ? fmt::format("{:.4f}", probabilities[order[i]]) : "");
  }
}

}  // namespace

std::string prediction_table(const Task& task, const std::vector<std::string>& names,
                             std::span<const float> logits) {
  const auto classes = static_cast<size_t>(task.class_count());
  const bool all = task.classes == Task{}.classes;
  std::vector<Row> rows;
  if (all) {
    rows.push_back({"image", "class"});
    for (size_t c = 0; c < classes; ++c) rows[0].push_back("P(" + std::to_string(c) + ")");
  } else {
    rows.push_back({"image", "class", "P", "second", "P", "third", "P"});
  }
  const std::vector<int> predicted = predicted_classes(logits, task.class_count());
  for (size_t i = 0; i < names.size(); ++i) {
    const std::vector<double> probabilities = softmax(logits.subspan(i * classes, classes));
    Row& row = rows.emplace_back(Row{names[i]});
    if (!all) {
      append_likeliest(row, task, probabilities);
      continue;
    }
    row.push_back(std::to_string(predicted[i]));
    for (const double probability : probabilities)
      row.push_back(fmt::format("{:.4f}", probability));
  }
  return format_table(rows, all ? "lr" + std::string(classes, 'r') : "llrlrlr");
}

Confusion confusion_counts(std::span<const uint8_t> labels, std::span<const int> predictions,
                           int classes) {
  const auto count = static_cast<size_t>(classes);
  Confusion counts(count, std::vector<int64_t>(count));
  for (size_t i = 0; i < labels.size(); ++i) {
    ++counts[labels[i]][static_cast<size_t>(predictions[i])];
  }
  return counts;
}

std::string recall_text(const Confusion& counts, size_t truth) {
  const int64_t images = std::accumulate(counts[truth].begin(), counts[truth].end(), int64_t{0});
  if (images == 0) return "-";
  return fmt::format(
      "{:.2f}%", 100.0 * static_cast<double>(counts[truth][truth]) / static_cast<double>(images));
}

std::string confusion_table(const Task& task, const Confusion& counts) {
  std::vector<Row> rows{{"truth"}};
  for (size_t c = 0; c < counts.size(); ++c) rows[0].push_back(fmt::format("{:5}", c));
  rows[0].push_back("recall");
  for (size_t truth = 0; truth < counts.size(); ++truth) {
    Row& row = rows.emplace_back(Row{class_text(task, truth)});
    for (const int64_t count : counts[truth]) row.push_back(fmt::format("{:5}", count));
    row.push_back(recall_text(counts, truth));
  }
  return "Confusion matrix: rows are the truth, columns the prediction\n\n" +
         format_table(rows, std::string(counts.size() + 2, 'r'));
}

std::string value_text(const Detail& detail) {
  const auto* number = std::get_if<int64_t>(&detail.value);
  return number ? grouped(*number) : std::get<std::string>(detail.value);
}

std::string details_table(const std::vector<Detail>& details) {
  std::vector<Row> rows;
  for (const Detail& detail : details) {
    const bool same =
        !rows.empty() && &detail != details.data() && (&detail - 1)->group == detail.group;
    rows.push_back({same ? "" : detail.group, detail.name, value_text(detail)});
  }
  return rows.empty() ? "Nothing more is known of this device.\n" : format_table(rows, "lll");
}

}  // namespace digitron
