// Preprocessing as JSON: the user's file, the model's metadata, and what is printed.
#pragma once

#include <string>

#include "calibration/images/preprocess.h"

namespace quantize {

/// Reads what the command line's documentation describes; everything but "color" may be left out.
/// Errors: Error(kInvalidArgument) for broken JSON, an unknown key (naming it and those there are), or a
/// wrong value.
Preprocess parse_preprocess(const std::string& json);

/// Every setting as one line of JSON, keys sorted. The same preprocessing gives the same bytes, so this is
/// its fingerprint, too. Requires: preprocess came from resolve. parse_preprocess reads it back.
std::string to_json(const Preprocess& preprocess);

/// The shortest argument of --preprocess that gives the same: the name of a preset with its words, else the
/// JSON without what is filled in anyway. Requires: preprocess came from resolve for this input.
std::string to_argument(const Preprocess& preprocess, const ImageInput& input);

/// `argument` is a name for preset(), the path of a JSON file (any path that exists), or the JSON itself,
/// which begins with '{'; the result is resolved.
/// Errors: Error(kInvalidArgument), with the path as context; Error(kIo).
Preprocess load_preprocess(const std::string& argument, const ImageInput& input);

/// The same for all inputs of a model that take images: each is preprocessed by `argument`, or JSON says
/// {"inputs": {NAME: settings}} for every one of them.
/// Errors: also Error(kInvalidArgument) naming an input that the JSON lacks, or a name that is no such input.
std::vector<InputPreprocess> load_preprocess(const std::string& argument,
                                             const std::vector<ImageInput>& inputs);

/// The JSON {"inputs": ...} from which load_preprocess makes the same.
std::string to_json(const std::vector<InputPreprocess>& inputs);

/// The inputs of a model that such JSON names, or its only input. Errors: Error(kInvalidArgument) for broken JSON;
/// those of image_input_of.
std::vector<ImageInput> inputs_in(const std::string& json, const std::vector<Value>& inputs);

}  // namespace quantize
