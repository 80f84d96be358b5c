"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, arXiv:2409.11321, algorithm 3).

Networks of a few thousand parameters are limited by how well they are optimised: their matrices are so small that
second-order statistics cost nothing beside the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def _basis(second_moment: Tensor) -> Tensor:
    """Eigenvectors (n, n) of a symmetric matrix, largest eigenvalue first."""
    return torch.linalg.eigh(second_moment.double())[1].flip(-1).to(second_moment.dtype)


class Soap(torch.optim.Optimizer):
    """Tensors of two and more dimensions are taken as matrices (first dimension by the rest); others get plain Adam.

    ``betas`` are Adam's, ``shampoo_beta`` fades the second moments of rows and columns, and every ``every`` steps one
    power iteration with QR turns the basis after them. Weight decay is decoupled. The first step only measures.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        shampoo_beta: float = 0.95,
        every: int = 10,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        defaults = {
            "lr": lr, "betas": betas, "shampoo_beta": shampoo_beta, "every": every, "eps": eps,
            "weight_decay": weight_decay,
        }  # fmt: skip
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step with the gradients there are; ``closure`` is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, self.state[parameter], group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        g = gradient.reshape(len(gradient), -1) if gradient.dim() > 1 else gradient
        matrix = g.dim() == 2 and min(g.shape) > 1
        beta1, beta2 = group["betas"] if matrix else (0.9, 0.999)
        if not state:
            state.update(step=0, mean=torch.zeros_like(g), square=torch.zeros_like(g))
            if matrix:
                state.update(rows=g @ g.T, columns=g.T @ g)
                state.update(row_basis=_basis(state["rows"]), column_basis=_basis(state["columns"]))
                return
        state["step"] += 1
        left, right = (state["row_basis"], state["column_basis"]) if matrix else (None, None)
        state["mean"].lerp_(g, 1 - beta1)
        mean, turned = state["mean"], g
        if left is not None and right is not None:
            mean, turned = left.T @ mean @ right, left.T @ g @ right
        square = state["square"].mul_(beta2).addcmul_(turned, turned, value=1 - beta2)
        root = (square / (1 - beta2 ** state["step"])).sqrt() + group["eps"]
        update = mean / (1 - beta1 ** state["step"]) / root
        if left is not None and right is not None:
            update = left @ update @ right.T
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"])
        if matrix:
            state["rows"].lerp_(g @ g.T, 1 - group["shampoo_beta"])
            state["columns"].lerp_(g.T @ g, 1 - group["shampoo_beta"])
            if state["step"] % group["every"] == 0:
                self._turn(state, "rows", "row_basis", 0)
                self._turn(state, "columns", "column_basis", 1)

    @staticmethod
    def _turn(state: dict[str, Any], moment: str, basis: str, axis: int) -> None:
        """One power iteration; the order of the eigenvalues is kept, and Adam's second moment with it."""
        old = state[basis]
        order = (old.T @ state[moment] @ old).diagonal().argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        state[basis] = torch.linalg.qr(state[moment] @ old[:, order])[0]
