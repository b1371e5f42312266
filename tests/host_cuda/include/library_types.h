// Stand-in for <library_types.h>: what several libraries share.
#pragma once

enum libraryPropertyType { MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL };
enum cudaDataType_t { CUDA_R_32F = 0 };
