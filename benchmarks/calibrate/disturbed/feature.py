"""The feature that causes slowness."""

from inference_core.core.feature import Feature

feature = Feature(name="disturbed", hot_routers="benchmarks.calibrate.disturbed.router:router")
