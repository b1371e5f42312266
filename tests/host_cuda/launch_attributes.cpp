#include "tests/host_cuda/launch_attributes.h"

#include <string>

#include "tests/host_cuda/device.h"

namespace host_cuda {
namespace {

constexpr unsigned kMostClusterBlocks = 8;  // without leave for a size that is not portable

cudaError_t read_cluster(const cudaLaunchConfig_t& config, const cudaLaunchAttribute& attribute,
                         dim3& cluster) {
  if (device().major < 9)
    return refuse(cudaErrorNotSupported, "launch: clusters need compute capability 9.0");
  const auto [x, y, z] = attribute.val.clusterDim;
  if (x == 0 || y == 0 || z == 0 || uint64_t{x} * y * z > kMostClusterBlocks)
    return refuse(cudaErrorInvalidClusterSize,
                  "launch: a cluster is of 1 to " + std::to_string(kMostClusterBlocks) + " blocks");
  const dim3 grid = config.gridDim;
  if (grid.x % x != 0 || grid.y % y != 0 || grid.z % z != 0)
    return refuse(cudaErrorInvalidClusterSize, "launch: the grid is no multiple of the cluster");
  cluster = dim3(x, y, z);
  return cudaSuccess;
}

cudaError_t read_attribute(const cudaLaunchConfig_t& config, const cudaLaunchAttribute& attribute,
                           LaunchAttributes& attributes) {
  switch (attribute.id) {
    case cudaLaunchAttributeIgnore:
      return cudaSuccess;
    case cudaLaunchAttributeClusterDimension:
      return read_cluster(config, attribute, attributes.cluster);
    case cudaLaunchAttributeProgrammaticStreamSerialization:
      attributes.programmatic = attribute.val.programmaticStreamSerializationAllowed != 0;
      if (attributes.programmatic && device().major < 9)
        return refuse(cudaErrorNotSupported,
                      "launch: programmatic serialization needs compute capability 9.0");
      return cudaSuccess;
    default:
      return refuse(cudaErrorNotSupported, "launch: attribute " + std::to_string(attribute.id) +
                                               " is not modelled on the host");
  }
}

}  // namespace

cudaError_t read_attributes(const cudaLaunchConfig_t& config, LaunchAttributes& attributes) {
  if (config.numAttrs != 0 && config.attrs == nullptr)
    return refuse(cudaErrorInvalidValue, "launch: no attributes where numAttrs says some");
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaError_t error = read_attribute(config, config.attrs[i], attributes);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace host_cuda
