#include "host/files/model_state.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "host/core/error.h"

namespace digitron {

namespace {

constexpr const char* kTracked = ".num_batches_tracked";

[[noreturn]] void fail(const SafetensorsFile& file, const std::string& tensor,
                       const std::string& what) {
  throw InputError(file.path().string() + ": tensor " + tensor + " " + what);
}

// "12.weight" -> 12 when the name is one that torch.nn.Sequential gives, or -1.
int64_t sequential_index(const std::string& name) {
  constexpr std::string_view kKinds[] = {".weight", ".bias", ".running_mean", ".running_var",
                                         kTracked};
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string::npos || dot > 9) return -1;
  const bool digits = std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dot),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  const bool known = std::find(std::begin(kKinds), std::end(kKinds),
                               std::string_view(name).substr(dot)) != std::end(kKinds);
  return digits && known ? std::stoll(name) : -1;
}

// What the file calls each of the plan's layers: the plan's own name or, when all tensors are named
// as Sequential does, a number such as "0", "3" or "7". These count layers without parameters too,
// as the model was written in PyTorch, so only their order says which is which. Empty for layers
// without parameters.
std::vector<std::string> layer_names_in_file(const Plan& plan,
                                             const std::vector<TensorInfo>& tensors) {
  std::set<int64_t> indices;
  for (const TensorInfo& tensor : tensors) indices.insert(sequential_index(tensor.name));
  const bool sequential = !tensors.empty() && !indices.contains(-1);

  std::vector<std::string> names;
  auto index = indices.begin();
  for (const PlannedLayer& layer : plan.layers) {
    std::string& name = names.emplace_back();
    if (!layer.parameters) continue;
    name = layer.name;
    if (sequential && index != indices.end()) name = std::to_string(*index++);
  }
  return names;
}

// The part of a flat buffer that an entry of one of the plan's tables describes.
template <class T, class Entry>
std::span<T> slice(std::span<T> flat, const Entry& entry) {
  return flat.subspan(entry.offset, entry.count);
}

// Takes tensors out of a file one by one, and knows at the end which are left.
class Reader {
 public:
  Reader(SafetensorsFile& file, const Model& model) : file_(file), model_(model) {}

  // Reads a tensor of these dims into the entry's place in `flat`, and returns that. Until the
  // tensor is found there is no such place: a few bytes of a file can name a model of gigabytes.
  template <class Entry>
  std::span<const float> read(const std::string& name, const std::vector<int64_t>& dims,
                              std::vector<float>& flat, const Entry& entry) {
    const TensorInfo& tensor = find(name, kFloat, dims);
    flat.resize(std::max(flat.size(), entry.offset + entry.count));
    const std::span<float> values = slice(std::span(flat), entry);
    file_.read(tensor, values);
    return values;
  }

  // A running variance, which PyTorch takes the root of.
  void read_variance(const std::string& name, std::vector<float>& flat, const Buffer& entry) {
    const std::span<const float> values =
        read(name, {static_cast<int64_t>(entry.count)}, flat, entry);
    const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return v < 0; });
    if (bad == values.end()) return;
    fail(file_, name,
         "holds " + std::to_string(*bad) + " at index " + std::to_string(bad - values.begin()) +
             ", but no variance is negative; the file is damaged: copy or save it again");
  }

  // 0 when it is not there.
  int64_t read_count(const std::string& name) {
    const auto& tensors = file_.tensors();
    const bool there = std::any_of(tensors.begin(), tensors.end(),
                                   [&](const TensorInfo& t) { return t.name == name; });
    return there ? file_.read_int64(find(name, kInt64, {})) : 0;
  }

  void require_nothing_left() const {
    for (const TensorInfo& tensor : file_.tensors()) {
      if (taken_.contains(tensor.name)) continue;
      fail(file_, tensor.name,
           "is one that " + model_.name + " does not have; give the file's own model with --model");
    }
  }

 private:
  const TensorInfo& find(const std::string& name, const std::string& dtype,
                         const std::vector<int64_t>& dims) {
    const auto tensor = std::find_if(file_.tensors().begin(), file_.tensors().end(),
                                     [&](const TensorInfo& t) { return t.name == name; });
    const std::string advice = "; give a file of this model, or the file's own model with --model";
    if (tensor == file_.tensors().end()) {
      fail(file_, name, "is missing, which " + model_.name + " needs" + advice);
    }
    if (tensor->dtype != dtype) {
      fail(file_, name,
           "is of type " + tensor->dtype + ", where " + model_.name + " needs " + dtype +
               "; save the model as PyTorch has it, with model.float()");
    }
    if (tensor->dims != dims) {
      fail(file_, name,
           "has shape " + dims_text(tensor->dims) + ", where " + model_.name + " needs " +
               dims_text(dims) + advice);
    }
    taken_.insert(name);
    return *tensor;
  }

  SafetensorsFile& file_;
  const Model& model_;
  std::set<std::string> taken_;
};

}  // namespace

ModelState initial_state(const Plan& plan, uint64_t seed) {
  return {initial_parameters(plan, seed), initial_buffers(plan), 0};
}

ModelState load_state(SafetensorsFile& file, const Plan& plan) {
  ModelState state;
  Reader reader(file, plan.model);
  const std::vector<std::string> names = layer_names_in_file(plan, file.tensors());
  const auto parameter = [&](const Parameter& entry, const std::string& name) {
    reader.read(name, entry.dims, state.parameters, entry);
  };
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const PlannedLayer& layer = plan.layers[l];
    if (!layer.parameters) continue;
    parameter(plan.weight(layer), names[l] + ".weight");
    parameter(plan.bias(layer), names[l] + ".bias");
    if (!layer.statistics) continue;
    const Buffer& mean = plan.running_mean(layer);
    const Buffer& variance = plan.running_variance(layer);
    reader.read(names[l] + ".running_mean", {static_cast<int64_t>(mean.count)}, state.buffers,
                mean);
    reader.read_variance(names[l] + ".running_var", state.buffers, variance);
    state.batches_tracked = std::max(state.batches_tracked, reader.read_count(names[l] + kTracked));
  }
  reader.require_nothing_left();
  state.parameters.resize(plan.parameter_floats);
  state.buffers.resize(plan.buffer_floats);
  const auto run = file.metadata().find("run");
  if (run != file.metadata().end()) state.run = run->second;
  return state;
}

ModelState load_state(const std::filesystem::path& path, const Plan& plan) {
  SafetensorsFile file(path);
  return load_state(file, plan);
}

std::vector<TensorData> parameter_tensors(const Plan& plan, std::span<const float> flat,
                                          const std::string& prefix) {
  std::vector<TensorData> tensors;
  for (const Parameter& p : plan.parameters) {
    tensors.push_back({prefix + p.name, kFloat, p.dims, std::as_bytes(slice(flat, p))});
  }
  return tensors;
}

std::vector<TensorData> buffer_tensors(const Plan& plan, std::span<const float> flat,
                                       const std::string& prefix) {
  std::vector<TensorData> tensors;
  for (const Buffer& b : plan.buffers) {
    const auto count = static_cast<int64_t>(b.count);
    tensors.push_back({prefix + b.name, kFloat, {count}, std::as_bytes(slice(flat, b))});
  }
  return tensors;
}

std::string safetensors_bytes(const Plan& plan, const ModelState& state, const Metadata& metadata) {
  std::vector<TensorData> tensors;
  const auto tracked = std::as_bytes(std::span(&state.batches_tracked, 1));
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.statistics) tensors.push_back({layer.name + kTracked, kInt64, {}, tracked});
  }
  for (TensorData& t : parameter_tensors(plan, state.parameters)) tensors.push_back(std::move(t));
  for (TensorData& t : buffer_tensors(plan, state.buffers)) tensors.push_back(std::move(t));
  return safetensors_bytes(tensors, metadata);
}

}  // namespace digitron
