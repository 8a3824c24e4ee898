"""Where classes and functions went that older checkpoints and dumped configs name by their old module."""

# Old dotted name, of a module or of something in it: the new one. The longest that fits counts.
MOVED = {
    'rawtoolbox.engine.checkpoint.PlainCheckpointHook': 'rawtoolbox.engine.checkpoint_hook.PlainCheckpointHook',
    'rawtoolbox.engine.checkpoint': 'rawtoolbox.weights.checkpoint',
    'rawtoolbox.engine.hooks.BackendHook': 'rawtoolbox.deployment.hook.BackendHook',
    'rawtoolbox.engine.levels': 'rawtoolbox.engine.level_training',
    'rawtoolbox.aligners.colour_fit': 'rawtoolbox.ops.colour_fit',
    'rawtoolbox.datasets.image_files': 'rawtoolbox.files.images',
    'rawtoolbox.raw.cameras': 'rawtoolbox.simulation.cameras',
    'rawtoolbox.raw.dead_leaves': 'rawtoolbox.simulation.dead_leaves',
    'rawtoolbox.raw.displacement': 'rawtoolbox.simulation.displacement',
    'rawtoolbox.raw.flow_pairs': 'rawtoolbox.simulation.flow_pairs',
    'rawtoolbox.raw.photographs': 'rawtoolbox.simulation.photographs',
    'rawtoolbox.raw.scene': 'rawtoolbox.simulation.scene',
    'rawtoolbox.raw.simulate': 'rawtoolbox.simulation.zrr',
    'rawtoolbox.raw.simulate_sr': 'rawtoolbox.simulation.sr_raw',
}


def present_name(name: str) -> str:
    """The name that something has today, from the one that an older file gives it.

    >>> present_name('rawtoolbox.engine.levels.LevelHook')
    'rawtoolbox.engine.level_training.LevelHook'
    >>> present_name('rawtoolbox.engine.LevelHook')
    'rawtoolbox.engine.LevelHook'
    """
    parts = name.split('.')
    for count in range(len(parts), 0, -1):
        new = MOVED.get('.'.join(parts[:count]))
        if new is not None:
            return '.'.join([new, *parts[count:]])
    return name
