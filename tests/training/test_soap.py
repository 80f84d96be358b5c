"""SOAP against its definition, on problems where the right answer is known."""

from __future__ import annotations

import copy

import pytest
import torch

from kwscore.training.soap import Soap


def ill_conditioned(seed: int = 0) -> tuple[torch.nn.Parameter, torch.Tensor, torch.Tensor]:
    """A least-squares problem whose inputs are strongly correlated, and rows of very different size."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(12, 12, generator=generator)
    x = torch.randn(512, 12, generator=generator) * torch.logspace(0, -2, 12) @ mix
    target = x @ torch.randn(12, 8, generator=generator)
    return torch.nn.Parameter(torch.zeros(8, 12)), x, target


def loss_after(optimiser: torch.optim.Optimizer, w: torch.nn.Parameter, x: torch.Tensor, y: torch.Tensor) -> float:
    for step in range(300):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * (1 - step / 300)
        optimiser.zero_grad()
        loss = ((x @ w.T - y) ** 2).mean()
        loss.backward()
        optimiser.step()
    return loss.item()


def test_correlated_inputs_are_solved_better_than_by_adam() -> None:
    w, x, y = ill_conditioned()
    soap = loss_after(Soap([w], lr=0.1), w, x, y)
    w, x, y = ill_conditioned()
    adam = loss_after(torch.optim.AdamW([w], lr=0.1, weight_decay=0.0), w, x, y)
    assert soap < adam / 3


def test_vectors_get_plain_adam() -> None:
    generator = torch.Generator().manual_seed(3)
    mine, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    soap = Soap([mine], lr=0.01, weight_decay=0.1)
    adam = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1)
    for _ in range(20):
        mine.grad = torch.randn(5, generator=generator)
        theirs.grad = mine.grad.clone()
        soap.step()
        adam.step()
    torch.testing.assert_close(mine, theirs)


def test_the_basis_stays_orthogonal_and_finds_the_eigenvectors() -> None:
    generator = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    w = torch.nn.Parameter(torch.zeros(4, 6))
    soap = Soap([w], lr=1e-3, every=1)
    for _ in range(300):
        w.grad = torch.randn(4, 6, generator=generator) * torch.logspace(1, -1, 6) @ turn.T
        soap.step()
    basis = soap.state[w]["column_basis"]
    torch.testing.assert_close(basis.T @ basis, torch.eye(6), atol=1e-5, rtol=0)
    largest = (basis.T @ turn).abs()
    assert largest[0, 0] > 0.99
    assert largest[1, 1] > 0.9


def test_every_shape_of_a_network_is_taken() -> None:
    shapes = [(3,), (), (4, 1, 3), (1, 5), (5, 1), (4, 4)]
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in shapes]
    frozen = torch.nn.Parameter(torch.ones(2, 2))
    soap = Soap([*parameters, frozen], lr=0.1)
    generator = torch.Generator().manual_seed(4)
    for _ in range(60):  # down the slope of a noisy bowl around 0
        for parameter in parameters:
            parameter.grad = parameter.detach() + 0.1 * torch.randn(parameter.shape, generator=generator)
        soap.step()
    for parameter in parameters:
        assert parameter.abs().max() < 0.5
    assert (frozen == 1).all()


@pytest.mark.parametrize("steps", [1, 7, 25])
def test_a_saved_state_goes_on_exactly(steps: int) -> None:
    generator = torch.Generator().manual_seed(2)
    w = torch.nn.Parameter(torch.randn(6, 5, generator=generator))
    soap = Soap([w], lr=0.02)
    gradients = torch.randn(2 * steps, 6, 5, generator=generator)
    for g in gradients[:steps]:
        w.grad = g.clone()
        soap.step()
    other = torch.nn.Parameter(w.detach().clone())
    resumed = Soap([other], lr=0.02)
    resumed.load_state_dict(copy.deepcopy(soap.state_dict()))
    for g in gradients[steps:]:
        w.grad, other.grad = g.clone(), g.clone()
        soap.step()
        resumed.step()
    assert torch.equal(w, other)
