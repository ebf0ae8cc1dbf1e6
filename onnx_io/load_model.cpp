// Loading models; see onnx_io.h.
#include "onnx_io/onnx_io.h"
