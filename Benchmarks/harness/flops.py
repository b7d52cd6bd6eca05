"""Floating-point operations that the mathematics of a training step needs: the same count for every arm of a case.

A product of m×k and k×n numbers is 2·m·k·n operations. Forward once, backward twice (gradients of inputs and of weights), but no gradient
of pixels. Only tokens that a text has, not what it is padded with; of causal attention only the pairs that see each other. Norms,
activations, softmax, optimizer and everything that is done twice to save memory count as nothing.
"""


def blocks(width, depth, hidden, lengths, causal):
    """Transformer blocks over sequences of these lengths, forward and backward."""
    tokens = sum(lengths)
    pairs = sum(n * (n + 1) // 2 if causal else n * n for n in lengths)
    return depth * (6 * tokens * (4 * width * width + 2 * width * hidden) + 12 * pairs * width)


def vision(rows, size, patch, width, depth, hidden, embedding):
    """A vision transformer with a class token."""
    patches = (size // patch) ** 2
    cut = 4 * rows * patches * 3 * patch * patch * width
    return cut + blocks(width, depth, hidden, [patches + 1] * rows, False) + 6 * rows * width * embedding


def text(lengths, width, depth, hidden, embedding, causal=True):
    """A text transformer that takes one token's output."""
    return blocks(width, depth, hidden, lengths, causal) + (6 * len(lengths) * width * embedding if embedding else 0)


def contrastive(rows, embedding):
    """All pairs' similarities and the gradients of both sides; both directions of a symmetric loss share them."""
    return 6 * rows * rows * embedding


def encoding(lengths, width, depth, hidden, causal=False):
    """Forward alone."""
    return blocks(width, depth, hidden, lengths, causal) / 3
