// Models that nobody would design: what an engine must take all the same.
#pragma once

#include <algorithm>

#include "host/core/plan.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"

namespace digitron::testing {

inline Conv2d random_conv(Random& random, const Shape& in) {
  constexpr int kMostWork = 300'000;  // multiply-adds a sample, for the plain loops' sake
  for (;;) {
    Conv2d conv{random.between(1, 12), 1, 1, random.chance(50) ? 0 : random.between(1, 3)};
    conv.kernel = random.between(1, std::min(7, in.height + 2 * conv.padding));
    if (random.chance(30)) conv.stride = random.between(2, 3);
    const Shape out = output_shape(conv, in);
    if (out.count() * in.channels * conv.kernel * conv.kernel <= kMostWork) return conv;
  }
}

// Side by side, overlapping or with gaps.
template <class Pool>
Pool random_pool(Random& random, const Shape& in) {
  const int kernel = random.between(1, std::min(4, in.height));
  return {kernel, random.chance(60) ? kernel : random.between(1, 4)};
}

inline Model random_model(Random& random) {
  Model model;
  Shape shape = model.task.image;
  const auto add = [&](const Layer& layer) {
    model.layers.push_back(layer);
    shape = output_shape(layer, shape);
  };
  const auto add_relus = [&](int percent) {
    while (random.chance(percent)) add(ReLU{});
  };
  // Anywhere, also several in a row.
  const auto add_regularisers = [&] {
    while (random.chance(15)) add(Dropout{static_cast<float>(random.between(0, 3)) / 4});
    while (shape.height * shape.width > 1 && random.chance(20)) {
      add(BatchNorm2d{});
      add_relus(30);
    }
  };
  add_relus(10);
  add_regularisers();
  for (int layers = random.between(0, 4); layers > 0; --layers) {
    if (random.chance(60)) {
      add(random_conv(random, shape));
    } else if (random.chance(60)) {
      add(random_pool<MaxPool2d>(random, shape));
    } else {
      add(random_pool<AvgPool2d>(random, shape));
    }
    add_relus(40);
    add_regularisers();
  }
  if (random.chance(25)) {
    add(Conv2d{kClasses, shape.height});  // one output a class without a linear layer
    return model;
  }
  for (int layers = random.between(0, 2); layers > 0; --layers) {
    add(Linear{random.between(1, 60)});
    add_relus(40);
    add_regularisers();
  }
  add(Linear{kClasses});
  return model;
}

// The same with a fused form: kernels of 3 and 5 at stride 1.
inline Conv2d random_fused_conv(Random& random, const Shape& in, int channels) {
  constexpr int kMostWork = 200'000;
  for (;;) {
    Conv2d conv{channels, random.chance(50) ? 3 : 5};
    conv.padding = random.chance(40) ? 0 : random.between(1, conv.kernel - 1);
    if (conv.kernel > in.height + 2 * conv.padding) continue;
    const Shape out = output_shape(conv, in);
    if (out.count() * in.channels * conv.kernel * conv.kernel <= kMostWork) return conv;
    if (channels > 1) --channels;
  }
}

// Layers that the fused step has kernels for, perhaps too many.
inline Model draw_fused_layers(Random& random) {
  Model model;
  Shape shape = model.task.image;
  const auto add = [&](const Layer& layer) {
    model.layers.push_back(layer);
    shape = output_shape(layer, shape);
  };
  const auto add_elementwise = [&](int relus) {
    while (random.chance(relus)) add(ReLU{});
    if (random.chance(15)) add(Dropout{static_cast<float>(random.between(0, 3)) / 4});
  };
  add_elementwise(10);
  for (int layers = random.between(0, 3); layers > 0; --layers) {
    add(random_fused_conv(random, shape, random.between(1, 8)));
    add_elementwise(50);
    if (random.chance(70)) {
      add(random_pool<MaxPool2d>(random, shape));
    } else if (random.chance(40)) {
      add(random_pool<AvgPool2d>(random, shape));
    }
    add_elementwise(20);
  }
  for (const Conv2d& conv : {Conv2d{kClasses, 3}, Conv2d{kClasses, 5}, Conv2d{kClasses, 3, 1, 1},
                             Conv2d{kClasses, 5, 1, 1}, Conv2d{kClasses, 5, 1, 2}}) {
    if (shape.height + 2 * conv.padding != conv.kernel) continue;
    add(conv);
    return model;
  }
  constexpr int kWidths[] = {1, 7, 33, 20, 48};
  for (int layers = random.between(0, 2); layers > 0; --layers) {
    add(Linear{kWidths[random.between(0, 4)]});
    add_elementwise(50);
  }
  add(Linear{kClasses});
  return model;
}

// A model that the fused step takes, which has a limit of 12 layers.
inline Model random_fused_model(Random& random) {
  for (;;) {
    Model model = draw_fused_layers(random);
    if (model.layers.size() <= 12) return model;
  }
}

}  // namespace digitron::testing
