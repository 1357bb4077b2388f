import pytest

from glomclf.cli.wording import in_options


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("or pass patience=None.", "or pass --patience none."),
        ('threshold="validation" needs', "--threshold validation needs"),
        ("weights='/a/b.h5' is not", "--weights /a/b.h5 is not"),
        ("images=FOLDER, cache_dir=False", "--images FOLDER, --cache-dir none"),
        ("dropout=0.5.", "--dropout 0.5."),
        ("weights=PATH, the path", "--weights FILE, the path"),
        ("a=1 and sampler_x=2", "a=1 and sampler_x=2"),
        ("n_splits=30 folds; lower n_splits", "--cv 30 folds; lower --cv"),
        (
            "Give resume=True, or another study_name.",
            "Give --resume, or another --study.",
        ),
        ("n_trials=50 runs", "--trials 50 runs"),
        ("no parameters here", "no parameters here"),
        ("fewer head_epochs, or more.", "fewer --head-epochs, or more."),
        ("/tmp/cache_dir/x, cache_dir.png", "/tmp/cache_dir/x, cache_dir.png"),
    ],
)
def test_parameters_become_options(message, expected):
    assert in_options(message) == expected
