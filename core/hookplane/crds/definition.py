"""Turns a kind into a CustomResourceDefinition."""

from __future__ import annotations

from typing import Any, Final

from hookplane.crds.schema import VALIDATIONS, Schema, structural_schema
from hookplane.kinds.base import CATEGORY, GROUP, NAME_RULE, VERSION
from hookplane.kinds.registry import Column, Kind

_NOT_OBSERVED: Final = {"observedGeneration": -1}
"""Default status of a new object; kstatus would take an object without status for a ready one."""


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": path} for path in kind.selectable],
        "additionalPrinterColumns": [*map(_column, kind.columns), _AGE],
        "schema": {"openAPIV3Schema": root_schema(kind)},
    }


_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _column(column: Column) -> dict[str, Any]:
    shown = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
    }
    return shown | ({"priority": 1} if column.wide else {})


def root_schema(kind: Kind) -> Schema:
    """The schema of a whole object."""
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        VALIDATIONS: [NAME_RULE.model_dump()],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": "Name of this kind."},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": structural_schema(kind.status) | {"default": _NOT_OBSERVED},
        },
    }
