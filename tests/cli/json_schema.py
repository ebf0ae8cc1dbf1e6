"""As much of JSON Schema as cli/schemas uses: what of a value is not as its schema says."""
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KEYWORDS = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties", "items",
            "enum", "anyOf", "minimum"}


def _has_type(value, name):
    if name in ("number", "integer"):
        return not isinstance(value, bool) and isinstance(value, int if name == "integer" else (int, float))
    return isinstance(value, TYPES[name])


def complaints(value, schema, root, path="$"):
    """A sentence for each difference; a keyword that this file does not know is an error of the schema."""
    unknown = schema.keys() - KEYWORDS
    if unknown:
        raise ValueError(f"{path}: unknown keywords {sorted(unknown)}")
    if "$ref" in schema:
        yield from complaints(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    if "anyOf" in schema:
        tries = [list(complaints(value, choice, root, path)) for choice in schema["anyOf"]]
        if all(tries):
            yield from min(tries, key=len)
    types = schema.get("type", [])
    if types and not any(_has_type(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield f"{path}: {value!r} is not of type {types}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{path}: {value!r} is below {schema['minimum']}"
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, path)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from complaints(item, schema["items"], root, f"{path}[{i}]")


def _of_object(value, schema, root, path):
    for key in schema.get("required", []):
        if key not in value:
            yield f"{path}: {key} is missing"
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, item in value.items():
        if key in known:
            yield from complaints(item, known[key], root, f"{path}.{key}")
        elif others is False:
            yield f"{path}: {key} is not in the schema"
        elif isinstance(others, dict):
            yield from complaints(item, others, root, f"{path}.{key}")
