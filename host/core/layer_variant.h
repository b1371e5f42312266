// From a kind of layer to what an engine has for it.
#pragma once

#include <type_traits>
#include <variant>

#include "host/core/model.h"

namespace digitron {

// The alternative of Variant that is constructed from (request, Kind).
template <class Variant, size_t I = 0, class Request, class Kind>
Variant make_for_kind(const Request& request, const Kind& kind) {
  static_assert(I < std::variant_size_v<Variant>, "this engine has nothing for this kind of layer");
  if constexpr (I < std::variant_size_v<Variant>) {
    using Alternative = std::variant_alternative_t<I, Variant>;
    if constexpr (std::is_constructible_v<Alternative, const Request&, const Kind&>) {
      return Alternative(request, kind);
    } else {
      return make_for_kind<Variant, I + 1>(request, kind);
    }
  }
}

// The same for a layer. Does not compile while there is a kind of layer that no alternative is
// constructed from.
template <class Variant, class Request>
Variant make_for_layer(const Request& request, const Layer& layer) {
  return std::visit([&](const auto& kind) { return make_for_kind<Variant>(request, kind); }, layer);
}

}  // namespace digitron
