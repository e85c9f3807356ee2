"""The paper: what Hinton, Vinyals and Dean claimed, each claim an experiment with a prediction, a result and a verdict."""

from __future__ import annotations

from kdviz.ui import paper_state, server
from kdviz.ui.components import claim, claim_list, top

store = server.store()

experiment = paper_state.settle()
top.of(experiment.name if experiment is not None else "")
if experiment is None:
    claim_list.show()
else:
    claim.show(store, experiment)
paper_state.keep()
