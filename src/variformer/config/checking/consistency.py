"""Values that are right by themselves and wrong together.

Each rule asks only which keys there are, never what a model is called.
"""

from collections.abc import Callable, Iterator

from ..tree import Config, at

Rule = Callable[[Config], Iterator[str]]


def inconsistencies(config: Config) -> Iterator[str]:
    """Problems of a plain config that has its defaults. Each names its keys and a cure."""
    for rule in RULES:
        yield from rule(config)


def number(config: Config, key: str) -> int | None:
    """The positive integer at a full key; None where there is another value, which the check of values reports."""
    value = at(config, key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def heads_divide_the_width(config: Config) -> Iterator[str]:
    width, heads = number(config, "model.width"), number(config, "model.heads")
    if width and heads and width % heads and not at(config, "model.head_width"):
        yield f"model.width: {width} is not divisible by model.heads={heads}; change one of them"


def shared_keys_and_values_divide_heads(config: Config) -> Iterator[str]:
    heads, fewer = number(config, "model.heads"), number(config, "model.attention.key_value_heads")
    if heads and fewer and heads % fewer:
        yield f"model.attention.key_value_heads: {fewer} does not divide model.heads={heads}; change one of them"


def dropout_of_attention_is_the_models(config: Config) -> Iterator[str]:
    if at(config, "model.attention.dropout"):
        yield "model.attention.dropout: the model sets the dropout of every attention; set model.dropout instead"


def groups_fit_the_layers(config: Config) -> Iterator[str]:
    groups, depth = number(config, "model.groups"), number(config, "model.depth")
    if groups and depth and groups > depth:
        yield f"model.groups: {groups} blocks exceed model.depth={depth} layers; change one of them"


def rotation_needs_pairs(config: Config) -> Iterator[str]:
    width, heads = number(config, "model.width"), number(config, "model.heads")
    head_width = number(config, "model.head_width") or (width // heads if width and heads else 0)
    given = at(config, "model.positions.share")
    share = given if isinstance(given, float) and 0 < given < 1 else 1
    if not str(at(config, "model.positions._target_")).endswith(".RotaryPositions") or not head_width:
        return
    if share == 1 and head_width % 2:
        yield (
            f"model.positions: rotary positions turn pairs, but heads are {head_width} wide; "
            "make model.width / model.heads (or model.head_width) even"
        )
    elif (turned := int(head_width * share)) % 2 or not turned:
        yield (
            f"model.positions.share: {share} of {head_width} is {turned}, but rotary positions turn pairs; "
            "choose a share that gives an even number"
        )


def samples_fit_the_model(config: Config) -> Iterator[str]:
    length, longest = number(config, "length"), number(config, "model.max_length")
    if length and longest and length > longest:
        yield f"length: {length} exceeds model.max_length={longest}; shorten one or raise the other"


def patches_tile_the_image(config: Config) -> Iterator[str]:
    image, patch = number(config, "model.image_size"), number(config, "model.patch_size")
    if image and patch and image % patch:
        yield f"model.image_size: {image} is not divisible by model.patch_size={patch}; change one of them"


def images_fit_the_model(config: Config) -> Iterator[str]:
    for name in ("image_size", "channels", "classes"):
        given, expected = number(config, f"data.{name}"), number(config, f"model.{name}")
        if given and expected and given != expected:
            yield f"model.{name}: {expected} differs from data.{name}={given}; set model.{name}={given}"


def every_channel_is_normalised(config: Config) -> Iterator[str]:
    channels, given = number(config, "data.channels"), [at(config, f"data.{name}") for name in ("mean", "std")]
    lengths = [len(values) for values in given if isinstance(values, list)]
    if channels and any(length not in (1, channels) for length in lengths):
        wanted = "1" if channels == 1 else f"{channels}, or 1 for all channels"
        yield (
            f"data.mean, data.std: {' and '.join(map(str, lengths))} numbers for data.channels={channels}; give "
            f"{wanted}, such as data.mean=[0.5] data.std=[0.5]"
        )


def vocabulary_fits_the_model(config: Config) -> Iterator[str]:
    given, expected = number(config, "tokenizer.vocab_size"), number(config, "model.vocab_size")
    if given and expected and given > expected:
        yield (
            f"tokenizer.vocab_size: {given} exceeds model.vocab_size={expected}; "
            f"set model.vocab_size to {given} or more"
        )


def batches_divide(config: Config) -> Iterator[str]:
    whole, micro = number(config, "global_batch"), number(config, "micro_batch") or 1
    devices = (number(config, "trainer.devices") or 1) * (number(config, "trainer.nodes") or 1)
    if whole and whole % (micro * devices):
        yield (
            f"global_batch: {whole} is not divisible by {micro * devices}, which is micro_batch={micro} "
            f"on {devices} device(s); change one of them"
        )


def a_sharded_model_cannot_try_micro_batches(config: Config) -> Iterator[str]:
    if at(config, "trainer.auto_micro_batch") and at(config, "trainer.strategy") == "fsdp":
        yield (
            "trainer.auto_micro_batch: trainer=fsdp cannot try sizes, since the other devices wait for one that runs "
            "out of memory; set micro_batch, with validate_only=true as a guide"
        )


def one_limit_on_training(config: Config) -> Iterator[str]:
    given = [name for name in ("max_steps", "max_epochs") if at(config, name) is not None]
    if len(given) != 1:
        yield f"max_steps, max_epochs: {'both are' if given else 'neither is'} given; give exactly one"


def warmup_ends_in_time(config: Config) -> Iterator[str]:
    warmup = number(config, "schedule.warmup")
    for limit in ("max_steps", "schedule.total"):
        steps = number(config, limit)
        if warmup and steps and warmup > steps:
            yield f"schedule.warmup: {warmup} exceeds {limit}={steps}; shorten the warm-up or train longer"


def a_student_has_a_teacher(config: Config) -> Iterator[str]:
    objective = at(config, "objective")
    if isinstance(objective, dict) and objective.get("teacher", "a run") in (None, "???"):
        yield (
            "objective.teacher: needs a value, the directory of an earlier run; make one with `variformer train "
            "experiment=bert` (for images experiment=vit) and give objective.teacher=RUN"
        )


def every_layer_is_copied_from_one(config: Config) -> Iterator[str]:
    layers, key = at(config, "objective.copied_layers"), "groups" if number(config, "model.groups") else "depth"
    blocks = number(config, f"model.{key}")
    if isinstance(layers, list) and blocks and len(layers) != blocks:
        yield f"objective.copied_layers: {layers} must name a layer of the teacher's for each of model.{key}={blocks}"


def a_model_starts_from_one_source(config: Config) -> Iterator[str]:
    if config.get("init_from") and at(config, "objective.copied_layers"):
        yield "init_from: the student would start from two models; give it or objective.copied_layers, not both"


def nesterov_looks_ahead_of_momentum(config: Config) -> Iterator[str]:
    if at(config, "optimizer.nesterov") and at(config, "optimizer.momentum") == 0:
        yield "optimizer.nesterov: without momentum there is nothing to look ahead; set optimizer.momentum=0.9"


def sharding_cannot_scale_the_loss(config: Config) -> Iterator[str]:
    if at(config, "trainer.strategy") == "fsdp" and config.get("precision") == "16-mixed":
        yield "precision: 16-mixed scales the loss, which trainer=fsdp cannot; set precision=bf16-mixed or trainer=ddp"


def adafactor_needs_full_rows(config: Config) -> Iterator[str]:
    if at(config, "trainer.strategy") == "fsdp" and str(at(config, "optimizer._target_")).endswith(".Adafactor"):
        yield (
            "optimizer: Adafactor sums over full rows and columns, but each device of trainer=fsdp holds only a part; "
            "set optimizer=adamw, muon, lamb or sgd, or trainer=ddp"
        )


def the_delimiter_is_one_character(config: Config) -> Iterator[str]:
    delimiter = at(config, "data.source.delimiter")
    if isinstance(delimiter, str) and len(delimiter) != 1:
        yield f'data.source.delimiter: {delimiter!r} must be one character, such as ";"; in YAML a tab is "\\t"'


def the_document_separator_is_not_empty(config: Config) -> Iterator[str]:
    if at(config, "data.source.document_separator") == "":
        yield "data.source.document_separator: is empty; give some characters, or null where each file is one document"


def muon_updates_hidden_matrices(config: Config) -> Iterator[str]:
    if at(config, "tuning.adapters") and at(config, "optimizer.adamw_lr") is not None:
        yield "optimizer: the matrices of adapters are none that Muon updates; set optimizer=adamw, or tuning=full"


RULES: tuple[Rule, ...] = (
    heads_divide_the_width,
    shared_keys_and_values_divide_heads,
    dropout_of_attention_is_the_models,
    groups_fit_the_layers,
    rotation_needs_pairs,
    samples_fit_the_model,
    patches_tile_the_image,
    images_fit_the_model,
    every_channel_is_normalised,
    vocabulary_fits_the_model,
    batches_divide,
    a_sharded_model_cannot_try_micro_batches,
    one_limit_on_training,
    warmup_ends_in_time,
    a_student_has_a_teacher,
    every_layer_is_copied_from_one,
    a_model_starts_from_one_source,
    nesterov_looks_ahead_of_momentum,
    sharding_cannot_scale_the_loss,
    adafactor_needs_full_rows,
    muon_updates_hidden_matrices,
    the_delimiter_is_one_character,
    the_document_separator_is_not_empty,
)
