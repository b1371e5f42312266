#include "host/reference/reference_ops.h"

namespace digitron::reference {

DIGITRON_REFERENCE_OPS(template, float);
DIGITRON_REFERENCE_OPS(template, double);

}  // namespace digitron::reference
