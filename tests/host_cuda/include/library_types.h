// Stand-in for <library_types.h>: what the libraries' GetProperty functions ask for.
#pragma once

enum libraryPropertyType { MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL };
