// Batch normalisation over channels, by plain loops.
#include "tests/host_cuda/cudnn_descriptors.h"

using namespace host_cuda;

namespace {

// How the elements of a dense n c h w tensor fall into channels.
struct Channels {
  size_t channels;
  size_t plane;
  size_t count;  // elements of a channel

  explicit Channels(const Dims& d)
      : channels(static_cast<size_t>(d[1])),
        plane(static_cast<size_t>(d[2]) * static_cast<size_t>(d[3])),
        count(static_cast<size_t>(d[0]) * plane) {}
  size_t of(size_t element) const { return element / plane % channels; }
};

struct Statistics {
  std::vector<double> mean, variance;  // biased
};

Statistics statistics(const std::vector<float>& x, const Channels& by) {
  const auto count = static_cast<double>(by.count);
  Statistics s{std::vector<double>(by.channels), std::vector<double>(by.channels)};
  for (size_t i = 0; i < x.size(); ++i) s.mean[by.of(i)] += static_cast<double>(x[i]) / count;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(x[i]) - s.mean[by.of(i)];
    s.variance[by.of(i)] += d * d / count;
  }
  return s;
}

const float* floats_at(const void* data) {
  return static_cast<const float*>(data);
}

// y = (x - mean) * inverse * scale + bias
std::vector<float> normalised(const std::vector<float>& x, const Channels& by,
                              const std::vector<double>& mean, const std::vector<double>& inverse,
                              const float* scale, const float* bias) {
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = by.of(i);
    y.push_back(static_cast<float>((static_cast<double>(x[i]) - mean[c]) * inverse[c] *
                                       static_cast<double>(scale[c]) +
                                   static_cast<double>(bias[c])));
  }
  return y;
}

std::vector<double> inverse_deviations(const std::vector<double>& variance, double epsilon) {
  std::vector<double> inverse;
  for (const double v : variance) inverse.push_back(1 / std::sqrt(v + epsilon));
  return inverse;
}

// running = factor * batch + (1 - factor) * running; the variance is the unbiased one.
void update(float* running_mean, float* running_variance, const Statistics& batch,
            const Channels& by, double factor) {
  if (running_mean == nullptr) return;
  const auto count = static_cast<double>(by.count);
  for (size_t c = 0; c < by.channels; ++c) {
    const double unbiased = batch.variance[c] * count / (count - 1);
    const auto blended = [factor](float old, double value) {
      return static_cast<float>(factor * value + (1 - factor) * static_cast<double>(old));
    };
    running_mean[c] = blended(running_mean[c], batch.mean[c]);
    running_variance[c] = blended(running_variance[c], unbiased);
  }
}

void save(float* mean, float* inverse, const Statistics& batch,
          const std::vector<double>& inverses) {
  if (mean == nullptr) return;
  for (size_t c = 0; c < inverses.size(); ++c) {
    mean[c] = static_cast<float>(batch.mean[c]);
    inverse[c] = static_cast<float>(inverses[c]);
  }
}

// Whether tensors of these shapes can be normalised so.
cudnnStatus_t check_shapes(const char* call, cudnnBatchNormMode_t mode,
                           std::initializer_list<cudnnTensorDescriptor_t> tensors,
                           cudnnTensorDescriptor_t channels, double epsilon) {
  for (const cudnnTensorDescriptor_t tensor : tensors)
    if (!ready(tensor) || tensor->dims != (*tensors.begin())->dims)
      return bad_parameter(call, "tensors that do not match");
  if (mode != CUDNN_BATCHNORM_SPATIAL) return CUDNN_STATUS_NOT_SUPPORTED;
  if (!ready(channels) || channels->dims != Dims{1, (*tensors.begin())->dims[1], 1, 1})
    return bad_parameter(call, "a descriptor of channels that does not match");
  if (!(epsilon >= CUDNN_BN_MIN_EPSILON)) return bad_parameter(call, "an epsilon too small");
  return CUDNN_STATUS_SUCCESS;
}

// Appends two tensors of channels, or none when both are null; one alone is refused.
bool append_pair(std::vector<Range>& ranges, const void* a, const void* b, size_t channels) {
  if (a == nullptr && b == nullptr) return true;
  if (a == nullptr || b == nullptr) return false;
  ranges.push_back(floats(a, channels));
  ranges.push_back(floats(b, channels));
  return true;
}

}  // namespace

cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha, const void* beta,
    cudnnTensorDescriptor_t x_desc, const void* x, cudnnTensorDescriptor_t y_desc, void* y,
    cudnnTensorDescriptor_t channels_desc, const void* scale, const void* bias, double factor,
    void* running_mean, void* running_variance, double epsilon, void* saved_mean,
    void* saved_inverse) {
  constexpr const char* kCall = "cudnnBatchNormalizationForwardTraining";
  return cudnn_call(kCall, [&] {
    const cudnnStatus_t shapes =
        check_shapes(kCall, mode, {x_desc, y_desc}, channels_desc, epsilon);
    if (shapes != CUDNN_STATUS_SUCCESS) return shapes;
    const Channels by(x_desc->dims);
    std::vector<Range> others{floats(x, x_desc->span()), floats(scale, by.channels),
                              floats(bias, by.channels)};
    if (!append_pair(others, running_mean, running_variance, by.channels) ||
        !append_pair(others, saved_mean, saved_inverse, by.channels))
      return bad_parameter(kCall, "one statistic without the other");
    const auto run = [=, xd = *x_desc, yd = *y_desc](float a, float b) {
      const std::vector<float> values = gather(xd, floats_at(x));
      const Statistics batch = statistics(values, by);
      const std::vector<double> inverse = inverse_deviations(batch.variance, epsilon);
      scatter(yd, static_cast<float*>(y),
              normalised(values, by, batch.mean, inverse, floats_at(scale), floats_at(bias)), a, b);
      update(static_cast<float*>(running_mean), static_cast<float*>(running_variance), batch, by,
             factor);
      save(static_cast<float*>(saved_mean), static_cast<float*>(saved_inverse), batch, inverse);
    };
    return submit_cudnn({kCall, handle, alpha, beta, floats(y, y_desc->span()), others, false},
                        run);
  });
}

cudnnStatus_t cudnnBatchNormalizationForwardInference(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha, const void* beta,
    cudnnTensorDescriptor_t x_desc, const void* x, cudnnTensorDescriptor_t y_desc, void* y,
    cudnnTensorDescriptor_t channels_desc, const void* scale, const void* bias, const void* mean,
    const void* variance, double epsilon) {
  constexpr const char* kCall = "cudnnBatchNormalizationForwardInference";
  return cudnn_call(kCall, [&] {
    const cudnnStatus_t shapes =
        check_shapes(kCall, mode, {x_desc, y_desc}, channels_desc, epsilon);
    if (shapes != CUDNN_STATUS_SUCCESS) return shapes;
    const Channels by(x_desc->dims);
    const std::vector<Range> others{floats(x, x_desc->span()), floats(scale, by.channels),
                                    floats(bias, by.channels), floats(mean, by.channels),
                                    floats(variance, by.channels)};
    const auto run = [=, xd = *x_desc, yd = *y_desc](float a, float b) {
      const auto channel_values = [&by](const void* data) {
        return std::vector<double>(floats_at(data), floats_at(data) + by.channels);
      };
      scatter(yd, static_cast<float*>(y),
              normalised(gather(xd, floats_at(x)), by, channel_values(mean),
                         inverse_deviations(channel_values(variance), epsilon), floats_at(scale),
                         floats_at(bias)),
              a, b);
    };
    return submit_cudnn({kCall, handle, alpha, beta, floats(y, y_desc->span()), others, false},
                        run);
  });
}

namespace {

struct Gradients {
  std::vector<float> dx, dscale, dbias;
};

Gradients gradients(const std::vector<float>& dy, const std::vector<float>& x, const Channels& by,
                    const std::vector<double>& mean, const std::vector<double>& inverse,
                    const float* scale) {
  std::vector<double> dscale(by.channels), dbias(by.channels);
  const auto value = [&](size_t i) {
    return (static_cast<double>(x[i]) - mean[by.of(i)]) * inverse[by.of(i)];
  };
  for (size_t i = 0; i < x.size(); ++i) {
    dbias[by.of(i)] += static_cast<double>(dy[i]);
    dscale[by.of(i)] += static_cast<double>(dy[i]) * value(i);
  }
  const auto count = static_cast<double>(by.count);
  Gradients result{{}, {dscale.begin(), dscale.end()}, {dbias.begin(), dbias.end()}};
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = by.of(i);
    const double d = static_cast<double>(dy[i]) - dbias[c] / count - value(i) * dscale[c] / count;
    result.dx.push_back(static_cast<float>(static_cast<double>(scale[c]) * inverse[c] * d));
  }
  return result;
}

}  // namespace

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void* alpha_data, const void* beta_data,
    const void* alpha_parameters, const void* beta_parameters, cudnnTensorDescriptor_t x_desc,
    const void* x, cudnnTensorDescriptor_t dy_desc, const void* dy, cudnnTensorDescriptor_t dx_desc,
    void* dx, cudnnTensorDescriptor_t channels_desc, const void* scale, void* dscale, void* dbias,
    double epsilon, const void* saved_mean, const void* saved_inverse) {
  constexpr const char* kCall = "cudnnBatchNormalizationBackward";
  return cudnn_call(kCall, [&] {
    const cudnnStatus_t shapes =
        check_shapes(kCall, mode, {x_desc, dy_desc, dx_desc}, channels_desc, epsilon);
    if (shapes != CUDNN_STATUS_SUCCESS) return shapes;
    if (!host_scalar(alpha_parameters) || !host_scalar(beta_parameters))
      return bad_parameter(kCall, "alpha and beta are host pointers");
    const Channels by(x_desc->dims);
    std::vector<Range> others{floats(x, x_desc->span()), floats(dy, dy_desc->span()),
                              floats(scale, by.channels), floats(dscale, by.channels),
                              floats(dbias, by.channels)};
    if (!append_pair(others, saved_mean, saved_inverse, by.channels))
      return bad_parameter(kCall, "one statistic without the other");
    const auto run = [=, xd = *x_desc, dyd = *dy_desc, dxd = *dx_desc,
                      pa = scalar(alpha_parameters),
                      pb = scalar(beta_parameters)](float a, float b) {
      const std::vector<float> values = gather(xd, floats_at(x));
      Statistics batch = statistics(values, by);
      std::vector<double> inverse = inverse_deviations(batch.variance, epsilon);
      if (saved_mean != nullptr) {
        batch.mean.assign(floats_at(saved_mean), floats_at(saved_mean) + by.channels);
        inverse.assign(floats_at(saved_inverse), floats_at(saved_inverse) + by.channels);
      }
      const Gradients g =
          gradients(gather(dyd, floats_at(dy)), values, by, batch.mean, inverse, floats_at(scale));
      scatter(dxd, static_cast<float*>(dx), g.dx, a, b);
      for (size_t c = 0; c < by.channels; ++c) {
        blend(static_cast<float*>(dscale)[c], pa, g.dscale[c], pb);
        blend(static_cast<float*>(dbias)[c], pa, g.dbias[c], pb);
      }
    };
    return submit_cudnn(
        {kCall, handle, alpha_data, beta_data, floats(dx, dx_desc->span()), others, false}, run);
  });
}
