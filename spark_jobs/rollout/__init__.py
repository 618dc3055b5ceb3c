"""Which region does what when: states, gates, frozen baselines, actions taken (施策台帳)."""
