"""Builds the compiled module of `collector.otlp.native`, where there is a C++ compiler.

Hatchling calls it with each installation; without a compiler that goes on without the module.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "collector.otlp.native._native"
SOURCE = Path("collector/otlp/native/module.cpp")  # hatchling is called in the top of the tree
FLAGS = ("-std=c++17", "-O3", "-g0", "-fvisibility=hidden", "-fstack-protector-strong",
         "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3")  # fmt: skip


def build() -> bool:
    """Build the module in place; return whether it is there."""
    from setuptools import Distribution, Extension

    extension = Extension(
        MODULE,
        [str(SOURCE)],
        language="c++",
        extra_compile_args=list(FLAGS),
        optional=True,  # a compiler that is not there, or cannot, is a warning
    )
    distribution = Distribution({"name": "millworth", "ext_modules": [extension]})
    command: Any = distribution.get_command_obj("build_ext")
    command.inplace = True
    command.force = True
    with tempfile.TemporaryDirectory() as scratch:
        command.build_temp = command.build_lib = scratch
        command.ensure_finalized()
        built = Path(command.get_ext_fullpath(MODULE))
        built.unlink(missing_ok=True)
        command.run()
    return built.exists()


class NativeBuildHook(BuildHookInterface[Any]):
    """Builds the module before files are gathered."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; a wheel with the module is of this platform and this Python."""
        if self.target_name != "wheel":
            return
        if build():
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
