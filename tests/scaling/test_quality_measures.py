"""Probe loss, patterns and the share of logits moved, where the right answer is planted or had another way."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sklearn.linear_model import LogisticRegression
from tests.ablation.architectures import random_sae, tiny_model
from tests.scaling.topk_saes import made_up, write_cards

from absorption.models.hooks import resolve_site
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.scaling import collect, downstream, patterns, quality, single_probes, stored, tasks
from absorption.scaling.measure import TEXT, table
from absorption.training.recipe import BASE, DEAD_RUNS, at_size

N_TOKENS = 12
BOS, A, B, C = 0, 3, 4, 5


def test_one_logit_alone_is_the_least_share_and_noise_has_two_over_pi() -> None:
    alone = torch.zeros(2, 4, 101)
    alone[0, 2, 7] = 3.0
    assert downstream.share_moved(alone).tolist() == pytest.approx([1 / 404, 0.0])
    noise = torch.randn(1, 16, 5001, generator=torch.Generator().manual_seed(0))
    assert float(downstream.share_moved(noise)) == pytest.approx(2 / math.pi, abs=0.01)
    shifted = noise + torch.arange(16.0)[None, :, None]  # a constant at each token changes no probability
    assert float(downstream.share_moved(shifted)) == pytest.approx(
        float(downstream.share_moved(noise)), abs=1e-4
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_changes_of_logits_are_those_of_whole_passes(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downstream, "PLACE", 5)
    monkeypatch.setattr(downstream, "N_FUTURE", 4)
    model, untouched = tiny_model(architecture)
    hook = "blocks.1.hook_resid_post"
    windows = torch.randint(3, 90, (3, 9), generator=torch.Generator().manual_seed(2))
    contexts = downstream.read_contexts(model, hook, windows)
    change = torch.randn(2, model.d_model, generator=torch.Generator().manual_seed(3))
    found = downstream.logit_changes(model, 2, contexts[1], change)

    def whole(added: torch.Tensor) -> torch.Tensor:
        whole: Any = untouched
        layers = whole.model.layers if architecture == "llama" else whole.transformer.h

        def edit(_module: Any, _args: Any, output: Any) -> Any:
            stream = (output[0] if isinstance(output, tuple) else output).clone()
            stream[:, 5] += added.to(stream)
            return (stream, *output[1:]) if isinstance(output, tuple) else stream

        handle = layers[1].register_forward_hook(edit)
        logits = untouched(windows[1:2]).logits[0, 5:]
        handle.remove()
        return logits

    clean = whole(torch.zeros(model.d_model))
    expected = torch.stack([whole(row) - clean for row in change]).float()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    state = model.residual_stream(windows[1:2, :6], hook)[0, -1].float()
    torch.testing.assert_close(contexts[1].state, state)


def test_each_latent_removed_is_one_that_is_on_and_goes_with_all_it_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    windows = torch.randint(3, 90, (2, 48), generator=torch.Generator().manual_seed(2))
    contexts = downstream.read_contexts(model, "blocks.1.hook_resid_post", windows)
    sae = random_sae(model, "blocks.1.hook_resid_post")
    seen = []

    def changes(_model: Any, depth: int, context: downstream.Context, rows: torch.Tensor) -> torch.Tensor:
        assert depth == 2
        acts = sae.encode(context.state[None])[0]
        written = -(acts[:, None] * sae.W_dec.float())
        nearest = (rows[:, None] - written.float()).abs().amax(dim=2).min(1)
        assert float(nearest.values.max()) < 1e-5
        assert (acts[nearest.indices] > 0).all()
        seen.append(nearest.indices.tolist())
        return torch.ones(len(rows), 1, 3) * torch.tensor([0.0, 0.0, 1.0])

    monkeypatch.setattr(downstream, "logit_changes", changes)
    sums, counts = downstream.effects_of_latents(model, sae, contexts)
    assert counts == [6.0, 6.0]
    assert sums == pytest.approx([6 / 3, 6 / 3])
    assert [len(set(latents)) for latents in seen] == [6, 6]


def test_windows_too_short_and_the_embedding_are_refused() -> None:
    model, _ = tiny_model("llama")
    short = torch.zeros(2, 40, dtype=torch.long)
    with pytest.raises(ValueError, match=r"windows of 40 tokens are too short; needed: 48"):
        downstream.read_contexts(model, "blocks.1.hook_resid_post", short)
    with pytest.raises(ValueError, match="reads the embedding"):
        downstream.read_contexts(model, "blocks.0.hook_resid_pre", short)


class Echo(LanguageModel):
    """A model whose stream says which token stands here, one before, two before, and nine before."""

    bos_token_id = BOS  # type: ignore[assignment]

    def __init__(self) -> None:
        pass

    def residual_stream(self, tokens: torch.Tensor, hook_name: str) -> torch.Tensor:
        """One-hot vectors side by side; BOS is none."""
        parts = []
        for back in (0, 1, 2, 9):
            shifted = torch.zeros_like(tokens)
            shifted[:, back:] = tokens[:, : max(0, tokens.shape[1] - back)]
            hot = torch.nn.functional.one_hot(shifted, N_TOKENS).float()
            hot[..., BOS] = 0
            parts.append(hot)
        return torch.cat(parts, dim=-1)


def planted_sae() -> LoadedSae:
    """Latents for: token A; B before C; A two tokens before; A nine tokens before."""
    sae = StandardSAE(StandardSAEConfig(d_in=4 * N_TOKENS, d_sae=4, dtype="float32"))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.zero_()
        sae.W_dec.fill_(0.1)
        sae.W_enc[A, 0] = 1.0
        sae.W_enc[C, 1] = sae.W_enc[N_TOKENS + B, 1] = 1.0
        sae.b_enc[1] = -1.0
        sae.W_enc[2 * N_TOKENS + A, 2] = 1.0
        sae.W_enc[3 * N_TOKENS + A, 3] = 1.0
    return LoadedSae("planted", sae.requires_grad_(False), resolve_site("blocks.1.hook_resid_post", 4))


def planted_passages(n: int = 40) -> patterns.Passages:
    draw = torch.Generator().manual_seed(0)
    windows = torch.randint(1, N_TOKENS, (n, 60), generator=draw)
    windows[:, 0] = BOS
    return patterns.Passages(windows, Echo().residual_stream(windows, ""))


def test_patterns_find_planted_triggers_with_wildcards_and_score_them_fully() -> None:
    model = Echo()
    sae, passages = planted_sae(), planted_passages()
    on = patterns.on_table(sae, passages)
    draw = np.random.default_rng(0)
    examples = patterns.draw_examples(on, passages, range(4), draw)
    found = patterns.make_patterns(model, sae, examples, draw)
    by_latent = {
        latent: {
            pattern for example, pattern in zip(examples, found, strict=True) if example.latent == latent
        }
        for latent in range(4)
    }
    assert by_latent[0] == {(A,)}
    assert by_latent[1] == {(B, C)}
    assert by_latent[2] == {(A, patterns.WILDCARD, patterns.WILDCARD)}
    assert {len(pattern) for pattern in by_latent[3]} == {patterns.LONGEST}  # nine back is further than that
    scores = patterns.score_patterns(model, sae, passages)
    matched, hit, truth = scores.T
    np.testing.assert_array_equal(matched[:3], truth[:3])
    np.testing.assert_array_equal(hit[:3], truth[:3])
    windows = passages.windows[20:]
    assert truth[0] == int((windows == A).sum())
    assert truth[1] == int(((windows[:, 1:-1] == B) & (windows[:, 2:] == C)).sum())
    assert hit[3] < truth[3] / 4


def test_a_match_ends_at_its_last_token_and_does_not_reach_over_bos() -> None:
    windows = np.array([[BOS, B, C, B, C, A]])
    assert patterns.matches((B, C), windows).tolist() == [[False, False, True, False, True, False]]
    assert patterns.matches((patterns.WILDCARD, B), windows).tolist() == [
        [False, False, False, True, False, False]
    ]
    assert patterns.matches((A,), windows).tolist() == [[False] * 5 + [True]]


def test_latents_that_are_hardly_on_have_no_patterns() -> None:
    on = np.array([[0, 1, 7, 1.0]] * 4 + [[5, 1, 7, 1.0]] * 4 + [[0, 1, 2, 1.0]] * 9 + [[5, 1, 2, 1.0]] * 3)
    assert patterns.choose_latents(on, 5, 10, np.random.default_rng(0)) == [7]
    assert patterns.score_patterns(Echo(), planted_sae(), planted_passages(2)).shape == (0, 3)


def test_single_probes_are_those_of_a_solver_of_its_own() -> None:
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(200, 3, generator=draw).double()
    y = (z[:, 0] + torch.randn(200, generator=draw).double() > 0.3).double()
    weights, biases = single_probes.fit_each(z, y)
    for column in range(3):
        solver: Any = LogisticRegression(C=1 / (single_probes.RIDGE * 200), tol=1e-10, max_iter=1000)
        solver.fit(z[:, [column]].numpy(), y.numpy())
        assert float(weights[column]) == pytest.approx(float(solver.coef_[0, 0]), abs=1e-5)
        assert float(biases[column]) == pytest.approx(float(solver.intercept_[0]), abs=1e-5)


def test_the_planted_latent_is_found_and_noise_tells_nothing() -> None:
    draw = torch.Generator().manual_seed(1)
    labels = torch.tensor([True, False] * 128)
    columns = torch.randn(256, 300, generator=draw).relu()
    noise = single_probes.best_loss(columns, labels)
    assert noise > math.log(2) - 0.02  # the best of many by chance on training texts is no better on others
    columns[:, 17] = labels * (1 + torch.rand(256, generator=draw))
    columns[:, 40] = 0.0  # never on
    assert single_probes.best_loss(columns, labels) < 0.05
    rare = columns[:, 41:].clone()
    rare[:, 5] = (
        labels & (torch.arange(256) % 8 == 0)
    ).float() * 5  # a quarter of one label, never the other
    # Its best probe knows a quarter of the positives; of the rest 3 of 7 are positive.
    share = 3 / 7
    known = -(7 / 8) * (share * math.log(share) + (1 - share) * math.log(1 - share))
    assert single_probes.best_loss(rare, labels) == pytest.approx(known, abs=0.03)


def _wheel(path: Path, tables: dict[str, pd.DataFrame]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, of in tables.items():
            raw = io.BytesIO()
            of.to_csv(raw, index=False, compression="zstd")
            archive.writestr(f"p/data/cleaned_data/{name}.csv.zst", raw.getvalue())
    return path


def _task(n: int, labels: tuple[Any, ...] = ("no", "yes"), words: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "prompt": [f"{labels[place % len(labels)]} {place}" + " word" * words for place in range(n)],
            "target": [labels[place % len(labels)] for place in range(n)],
        }
    )


def test_tasks_are_binary_short_balanced_and_every_second_one(tmp_path: Path) -> None:
    tables = {
        "1_first": _task(30), "2_second": _task(30), "3_three": _task(30, ("a", "b", "c")),
        "4_long": _task(30, words=40), "5_few": _task(6), "6_third": _task(30), "129_arith_mc_A": _task(30),
        "7_twice": pd.concat([_task(6)] * 5),
    }  # fmt: skip
    found = tasks.read_texts(_wheel(tmp_path / "w.whl", tables), n=8)
    assert list(found) == ["1_first", "6_third"]
    texts, labels = found["1_first"]
    assert labels == [True, False] * 4
    assert [text.startswith("yes") for text in texts] == labels
    assert len(set(texts)) == 8


def test_activations_at_the_last_token_do_not_depend_on_the_batch() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    vocabulary = list(model.tokenizer.get_vocab())
    texts = [" ".join(vocabulary[5 : 5 + n]) for n in (1, 4, 2, 7)]
    found = tasks.last_token_activations(model, "blocks.1.hook_resid_post", texts)
    for text, row in zip(texts, found, strict=True):
        ids: Any = model.tokenizer(text, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([[model.bos_token_id, *ids]])
        expected = model.residual_stream(tokens, "blocks.1.hook_resid_post")[0, -1]
        torch.testing.assert_close(row, expected, atol=1e-5, rtol=1e-4)


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project with two shipped SAEs whose numbers are stored, and which SAEs' quality was measured since."""
    shipped, seen = (at_size(1024).sae_id, BASE.sae_id), []
    for module in ("absorption.scaling.stored.data_root", "absorption.saes.shipped.data_root"):
        monkeypatch.setattr(module, lambda: tmp_path)
    write_cards(tmp_path, made_up(), shipped)
    stored.write_grid(made_up((BASE, at_size(1024), at_size(512, 6))))
    monkeypatch.setattr(collect, "_windows", lambda _model: None)
    monkeypatch.setattr(collect, "load", lambda _model, sae, _folder: SimpleNamespace(name=sae))
    monkeypatch.setattr(quality, "read_subject", lambda *_: None)
    monkeypatch.setattr(quality, "describe", lambda _: {"tasks": ["one"]})
    monkeypatch.setattr(quality, "baselines", lambda *_: table(TEXT, {quality.PROBE_LOSS: [0.7]}))

    def measure(_model: Any, sae: LoadedSae, _subject: Any) -> pd.DataFrame:
        seen.append(sae.name)
        return table(sae.name, {quality.PROBE_LOSS: [0.1 * len(seen)]})

    monkeypatch.setattr(quality, "measure_quality", measure)
    return seen


def test_quality_is_added_to_stored_numbers_and_measured_once(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: LanguageModel = None  # type: ignore[assignment]
    found = collect.collect(model, [])
    assert sorted(measured) == sorted([at_size(1024).sae_id, BASE.sae_id])
    assert found.values(BASE.sae_id, quality.PROBE_LOSS).tolist() in ([0.1], [0.2])
    assert stored.read_grid().values(TEXT, quality.PROBE_LOSS).tolist() == [0.7]
    before = made_up((BASE, at_size(1024), at_size(512, 6)))
    np.testing.assert_array_equal(
        stored.read_grid().values(BASE.sae_id, "error"), before.values(BASE.sae_id, "error")
    )
    collect.collect(model, [])
    assert len(measured) == 2
    monkeypatch.setattr(quality, "describe", lambda _: {"tasks": ["another"]})
    monkeypatch.setattr(quality, "VERSION", quality.VERSION + 1)
    found = collect.collect(model, [])
    assert len(measured) == 4
    assert found.quality == {"tasks": ["another"]}
    assert len(found.values(BASE.sae_id, quality.PROBE_LOSS)) == 1


def test_quality_is_measured_along_the_base_s_width_and_k_and_not_of_experiments() -> None:
    assert quality.is_measured(at_size(512))
    assert quality.is_measured(at_size(8192, 96))
    assert not quality.is_measured(at_size(512, 6))
    assert not quality.is_measured(DEAD_RUNS[0])
