"""Classes whose attributes are parameters: see `eventlog.sdk.task_parameters_object`."""

from eventlog.sdk.task_parameters_object import TaskParameters, param, percent_param

__all__ = ["TaskParameters", "param", "percent_param"]
