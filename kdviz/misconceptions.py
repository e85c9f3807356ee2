"""Bugs that much-read code of distillation really had: each the one wrong line, the right one, and what it does to a gradient.

A run may train students with any of these losses beside the right one (the knob `loss`), so that a reader sees what a bug costs.
The lines are PyTorch as people write it, with `log_q = F.log_softmax(student_logits / T, 1)`,
`p = F.softmax(teacher_logits / T, 1)` and `kl = F.kl_div(log_q, p, reduction="batchmean")`; tests run them and hold the training
step to their gradients. A bug changes the soft term of a distilled student and nothing else. Knows no training.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdviz.i18n import N_

RIGHT = "right"


@dataclass(frozen=True)
class Misconception:
    """wrong, right: a line of PyTorch each, which sets `soft`, `p` or `loss`; claim: what it is said to do, a message; sources:
    issues of GitHub, as owner/repository#number, or a library's version; tells: where it shows, a message."""

    name: str
    title: str
    wrong: str
    right: str
    claim: str
    tells: str
    sources: tuple[str, ...]


_BATCHMEAN = 'soft = T**2 * F.kl_div(log_q, p, reduction="batchmean")'

MISCONCEPTIONS = {
    one.name: one
    for one in (
        Misconception(
            "mean_over_elements",
            N_("The mean over all elements"),
            "soft = T**2 * torch.nn.KLDivLoss()(log_q, p)",
            'soft = T**2 * torch.nn.KLDivLoss(reduction="batchmean")(log_q, p)',
            N_("The loss is averaged over images and classes, so the soft term shrinks by the number of classes."),
            N_("It acts like a smaller weight of the soft targets: it shows where the hard labels then count for more."),
            ("haitongli/knowledge-distillation-pytorch#2", "haitongli/knowledge-distillation-pytorch#48"),
        ),
        Misconception(
            "no_t_squared",
            N_("T² left out"),
            'soft = F.kl_div(log_q, p, reduction="batchmean")',
            _BATCHMEAN,
            N_("The gradient of the soft term falls as 1/T², so raising T switches distillation off."),
            N_("It shows the more the higher T is, where hard labels have a weight too."),
            ("IntelLabs/distiller#122", "keras-team/keras-io#869"),
        ),
        Misconception(
            "teacher_on_both_sides",
            N_("The teacher on both sides"),
            'soft = T**2 * F.kl_div(F.log_softmax(teacher_logits / T, 1), p, reduction="batchmean")',
            _BATCHMEAN,
            N_("The soft term is a constant: its gradient is zero, and the student learns from hard labels alone."),
            N_("The student is the hard-label student, whatever the weight of the soft targets."),
            ("labmlai/annotated_deep_learning_paper_implementations#66",),
        ),
        Misconception(
            "scaled_by_elements",
            N_("Divided by the number of elements"),
            'soft = T**2 * F.kl_div(log_q, p, reduction="sum") / student_logits.numel()',
            'soft = T**2 * F.kl_div(log_q, p, reduction="sum") / len(student_logits)',
            N_("The sum is divided by images times classes, not by images: the soft term is too small by the number of classes."),
            N_("It is the mean over all elements, written otherwise: the same students come out."),
            ("facebookresearch/deit#116",),
        ),
        Misconception(
            "mse_of_softmaxes",
            N_("Squared differences of probabilities"),
            "soft = T**2 * F.mse_loss(log_q.exp(), p)",
            _BATCHMEAN,
            N_("Its gradient is 0.02 of the right one for a student that knows nothing yet, at any T, with ten classes."),
            N_("Hard labels count for fifty times as much; and it hardly corrects a student that is sure and wrong."),
            ("SforAiDl/KD_Lib VanillaKD",),
        ),
        Misconception(
            "zero_weight_drops_t_squared",
            N_("A weight of zero drops T² too"),
            "loss = kl if hard_weight == 0 else soft_weight * T**2 * kl + hard_weight * hard",
            "loss = soft_weight * T**2 * kl + hard_weight * hard",
            N_("Where the hard labels weigh nothing, the soft term loses its T²: 0.386 where 38.58 was due at T = 10."),
            N_("It shows with plain gradient descent, whose steps are then T² times too short; Adam divides the scale out."),
            ("yoshitomo-matsubara/torchdistill 1.1.5 KDLoss",),
        ),
        Misconception(
            "averaged_logits_for_probabilities",
            N_("An ensemble's logits averaged"),
            "p = F.softmax(member_logits.mean(0) / T, -1)",
            "p = F.softmax(member_logits / T, -1).mean(0)",
            N_(
                "Averaged logits give the renormalised geometric mean of the members' probabilities, usually "
                "sharper than their mean."
            ),
            N_("It shows where the members disagree; it needs an ensemble as the teacher."),
            ("wentianli/knowledge_distillation_caffe#1",),
        ),
    )
}
LOSSES = (RIGHT, *MISCONCEPTIONS)
TITLES = {RIGHT: N_("right"), **{name: one.title for name, one in MISCONCEPTIONS.items()}}
"""What a page calls each loss, a message."""
OF_ENSEMBLES = "averaged_logits_for_probabilities"
OF_SOFTMAXES = "mse_of_softmaxes"


def factor(loss: str, T: float, soft_weight: float, hard_weight: float, classes: int) -> float:
    """Return what a loss makes of the gradient of the soft term, as a factor of the right one.

    1 for the right loss and for those that are no factor: OF_SOFTMAXES has another form, OF_ENSEMBLES other targets.
    """
    if loss in ("mean_over_elements", "scaled_by_elements"):
        return 1 / classes
    if loss == "no_t_squared":
        return 1 / T**2
    if loss == "teacher_on_both_sides":
        return 0.0
    if loss == "zero_weight_drops_t_squared" and hard_weight == 0:
        return 1 / (soft_weight * T**2)
    return 1.0
