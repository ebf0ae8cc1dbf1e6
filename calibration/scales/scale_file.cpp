#include "calibration/scales/scale_file.h"

#include "calibration/images/read_file.h"
#include "core/error.h"

namespace quantize {

ScalesByValue read_scales(const std::string& path, const Graph& graph) {
  const std::string text = read_text(path);
  return with_context([&] { return path; },
                      [&] {
                        for (const ScaleFormat* format : all_scale_formats())
                          if (!text.empty() && format->is(text)) return format->read(text, graph);
                        throw Error(ErrorKind::kInvalidArgument,
                                    "no file of scales of a known kind: " + scale_formats_text());
                      });
}

const ScaleFormat& find_scale_format(const std::string& name) {
  for (const ScaleFormat* format : all_scale_formats())
    if (format->name == name) return *format;
  throw Error(ErrorKind::kInvalidArgument, "'" + name + "' is none of " + scale_formats_text());
}

std::string scale_formats_text() {
  std::string text;
  for (const ScaleFormat* format : all_scale_formats())
    text += (text.empty() ? "" : ", ") + std::string(format->name);
  return text;
}

}  // namespace quantize
