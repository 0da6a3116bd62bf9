"""Are these FHIR resources? `fhir.resources` says so, by its models of R4B, which differ from R4 in a few resources.

    fhir_validator.py INPUT

INPUT is a file with a JSON array of resources. The answer is a JSON array of `{"ok": true}` or `{"ok": false, "errors":
["PLACE: MESSAGE", ..]}`, in the same order.
"""

import json
import sys

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError


def main() -> None:
    json.dump([judge(resource) for resource in json.load(open(sys.argv[1]))], sys.stdout)


def judge(resource: dict) -> dict:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    try:
        model = get_fhir_model_class(kind)
    except (ValueError, TypeError, AttributeError):
        return {"ok": False, "errors": [f"resourceType: there is no {kind!r}"]}
    try:
        model.model_validate(resource)
    except ValidationError as error:
        places = ((".".join(map(str, found["loc"])), found["msg"]) for found in error.errors())
        return {"ok": False, "errors": [f"{place}: {message}" for place, message in places]}
    return {"ok": True}


main()
