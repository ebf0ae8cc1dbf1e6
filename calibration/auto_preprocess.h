// --preprocess auto: which preprocessing was a model trained with? Read choose_preprocess().
#pragma once

#include "calibration/preprocess_choice.h"
#include "calibration/sample_source.h"
#include "core/engine/program.h"

namespace quantize {

/// Chooses the preprocessing of a model's images, by the first of these that decides:
///
///   1. the model's metadata, where we wrote them;
///   2. the statistics that its first BatchNormalizations learned: the best preset is off by less than
///      0.5 nats per channel (a mean shifted by one standard deviation) and by at most half of the next one;
///      with a warning unless the model classifies, since they show neither colours nor geometry;
///   3. how well its outputs tell the images apart, if they are more than 10 classes: the best preset's
///      mutual information is at least one bit and leads the next one by two standard errors;
///   4. else `imagenet` for three channels and `unit` for one, with a warning; unless 3. says that another
///      one is better by two standard errors, which is then taken, with a warning.
///
/// Tried are imagenet, tf, caffe, unit and raw on up to 32 images, spread evenly over the list. Where the
/// model leaves its width open, images keep their aspect ratio at its height; where it leaves both open,
/// 224x224 is assumed, with a warning. Images that already have the model's own size are neither resized nor
/// cropped. `source` is the model as it was read, `prepared` what open_model made of it. Errors: those of
/// image_input_of, resolve and Engine::run; Error(kCalibration) if none of the images can be used.
PreprocessChoice choose_preprocess(const Graph& source, const Graph& prepared, const SampleList& list,
                                   int threads, const CompileOptions& engine);

}  // namespace quantize
