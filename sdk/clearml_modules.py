"""Which name of which ClearML module is what here: the table that `clearml_import.py` fills modules from.

What stands here are the modules and names that ClearML documents, and those of its inner ones that scripts
and libraries were found to import. A value is ``module:attribute``, of eventlog or of a package that ClearML
carries within it; or else it says why the name is not here.
"""

__all__ = ["MODULES", "VERSION", "is_top", "reason"]

# The version of ClearML whose interface this is.
VERSION = "2.1.0"

_QUEUES = "eventlog has no queues and no agents; run a task with `eventlog run --task ID`"
_DATASETS = (
    "eventlog has no datasets; keep data as an artifact (Task.upload_artifact), or where it is and its URL"
    " as a parameter"
)
_PIPELINES = "eventlog has no pipelines; make a task for each step, and start the steps from a script"
_SERVER = "eventlog has no server to talk to; ask the log with Task.get_tasks and Task.query_tasks"
_INNER = "it is an inner part of ClearML that eventlog does not have; use Task, Logger and the model classes"

_TASK = "eventlog:Task"
_LOGGER = "eventlog:Logger"
_TYPES = "eventlog.sdk.task_types:TaskTypes"
_STATUS = "eventlog.sdk.task_types:TaskStatusEnum"
_USAGE_ERROR = "eventlog.errors:InputInvalid"
_STORAGE = "eventlog.sdk.storage_manager:StorageManager"
_FRAMEWORK = "eventlog.sdk.frameworks:Framework"
_FUNCTIONS = "eventlog.sdk.clearml_functions"
_BINDINGS = "eventlog.sdk.clearml_bindings"

_MODELS = {name: f"eventlog:{name}" for name in ("InputModel", "Model", "OutputModel")}
_RUNNING = {
    name: f"{_FUNCTIONS}:{name}"
    for name in (
        "get_is_master_node",
        "get_node_count",
        "get_node_id",
        "get_remote_task_id",
        "running_remotely",
    )
}

MODULES: dict[str, dict[str, str]] = {
    "clearml": {
        **_MODELS,
        "Logger": _LOGGER,
        "StorageManager": _STORAGE,
        "Task": _TASK,
        "TaskTypes": _TYPES,
        "UsageError": _USAGE_ERROR,
        "DataEntry": _DATASETS,
        "DataEntryImage": _DATASETS,
        "DataSubEntry": _DATASETS,
        "DataSubEntryImage": _DATASETS,
        "DataView": _DATASETS,
        "Dataset": _DATASETS,
        "HyperDataset": _DATASETS,
        "HyperDatasetManagement": _DATASETS,
        "HyperDatasetQuery": _DATASETS,
        "PipelineController": _PIPELINES,
        "PipelineDecorator": _PIPELINES,
        "browser_login": _SERVER,
    },
    "clearml.task": {
        **_MODELS,
        **_RUNNING,
        "Framework": _FRAMEWORK,
        "Logger": _LOGGER,
        "Task": _TASK,
        "TaskInstance": _TASK,
        "TaskParameters": "eventlog:TaskParameters",
        "UsageError": _USAGE_ERROR,
    },
    "clearml.logger": {
        "Logger": _LOGGER,
        "SeriesInfo": "eventlog.sdk.series_info:SeriesInfo",
        "StdStreamPatch": _INNER,
    },
    "clearml.model": {**_MODELS, "BaseModel": "eventlog.sdk.model_base:BaseModel", "Framework": _FRAMEWORK},
    "clearml.task_parameters": {
        "TaskParameters": "eventlog:TaskParameters",
        "param": "eventlog.sdk.task_parameters_object:param",
        "percent_param": "eventlog.sdk.task_parameters_object:percent_param",
    },
    "clearml.errors": {"UsageError": _USAGE_ERROR, "ArtifactUriDeleteError": "eventlog.errors:EventlogError"},
    "clearml.version": {"__version__": "eventlog.sdk.clearml_modules:VERSION"},
    "clearml.storage": {"StorageManager": _STORAGE},
    "clearml.storage.manager": {"StorageManager": _STORAGE},
    "clearml.storage.helper": {"StorageHelper": f"{_INNER}, or StorageManager"},
    "clearml.storage.util": {"sha256sum": f"{_FUNCTIONS}:sha256sum"},
    "clearml.config": {**_RUNNING, "config": _INNER, "config_obj": _INNER, "get_cache_dir": _INNER},
    "clearml.backend_interface": {"Task": _TASK, "TaskStatusEnum": _STATUS},
    "clearml.backend_interface.task": {"Task": _TASK, "TaskStatusEnum": _STATUS},
    "clearml.backend_interface.task.task": {"Task": _TASK, "TaskStatusEnum": _STATUS},
    "clearml.backend_interface.task.models": {
        "ModelsList": "eventlog.sdk.models_list:ModelsList",
        "TaskModels": "eventlog.sdk.models_list:TaskModels",
    },
    "clearml.backend_interface.util": {"get_or_create_project": f"{_FUNCTIONS}:get_or_create_project"},
    "clearml.binding": {},
    "clearml.binding.artifacts": {"Artifact": "eventlog.sdk.artifacts:Artifact"},
    "clearml.binding.frameworks": {"WeightsFileHandler": f"{_BINDINGS}:WeightsFileHandler"},
    "clearml.binding.frameworks.pytorch_bind": {
        "PatchPyTorchModelIO": f"{_BINDINGS}:PatchPyTorchModelIO",
    },
    "clearml.binding.frameworks.tensorflow_bind": {
        "WeightsGradientHistHelper": f"{_BINDINGS}:WeightsGradientHistHelper",
    },
    "clearml.binding.matplotlib_bind": {"PatchedMatplotlib": f"{_BINDINGS}:PatchedMatplotlib"},
    "clearml.utilities": {},
    "clearml.utilities.dicts": {name: f"{_FUNCTIONS}:{name}" for name in ("cast_str_to_bool", "merge_dicts")},
    "clearml.utilities.plotly_reporter": {"SeriesInfo": "eventlog.sdk.series_info:SeriesInfo"},
    "clearml.utilities.proxy_object": {
        name: f"{_FUNCTIONS}:{name}"
        for name in (
            "cast_basic_type",
            "flatten_dictionary",
            "get_basic_type",
            "naive_nested_from_flat_dictionary",
            "nested_from_flat_dictionary",
        )
    },
    "clearml.utilities.pyhocon": {
        name: f"pyhocon:{name}" for name in ("ConfigFactory", "ConfigParser", "ConfigTree", "HOCONConverter")
    },
    "clearml.utilities.seed": {"make_deterministic": f"{_FUNCTIONS}:make_deterministic"},
    "clearml.debugging": {"get_logger": f"{_FUNCTIONS}:get_logger"},
    "clearml.debugging.log": {
        "LoggerRoot": f"{_FUNCTIONS}:LoggerRoot",
        "get_logger": f"{_FUNCTIONS}:get_logger",
    },
}

# Modules directly within `clearml` of which there is more than `MODULES` has, and why the rest is not here.
_NOT_HERE = {
    "clearml.automation": (
        "eventlog has no pipelines, schedulers, monitors nor searches; make a task for each step or each set"
        " of parameters (Task.clone, set_parameters), and start them from a script"
    ),
    "clearml.backend_api": _SERVER,
    "clearml.backend_config": _INNER,
    "clearml.backend_interface": _INNER,
    "clearml.binding": _INNER,
    "clearml.cli": _INNER,
    "clearml.config": _INNER,
    "clearml.datasets": _DATASETS,
    "clearml.debugging": _INNER,
    "clearml.external": "eventlog has no logger of that library; report through Task.get_logger",
    "clearml.hyperdatasets": _DATASETS,
    "clearml.router": "eventlog has no router; serve the endpoint yourself",
    "clearml.storage": f"{_INNER}, or StorageManager",
    "clearml.utilities": _INNER,
}


def reason(name: str) -> str:
    """Why what lies in a module of ClearML is not here; "" for what is not such a module or within it."""
    parts = name.split(".")
    return _NOT_HERE.get(".".join(parts[:2]), "") if parts[0] == "clearml" else ""


def is_top(name: str) -> bool:
    """Whether it is a module of ClearML's, directly within `clearml`, that is not here in full."""
    return name in _NOT_HERE
