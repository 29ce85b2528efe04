"""The state machine ``InfraMonitoringPipeline``: what its states decide, how executions are seen and started."""
