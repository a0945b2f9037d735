"""Data of earlier runs keep the settings that they had when a default was another one."""

from copy import deepcopy
from pathlib import Path

import pytest

from variformer.config.composing.saved_configs import with_current_keys

SOURCE = {"_target_": "variformer.data.PythonDocs"}
IMPORTED = {"_target_": "variformer.data.TextData", "_partial_": True, "source": SOURCE}
IMAGES = {"_target_": "variformer.data.images.ImageData", "source": {"_target_": "variformer.data.images.Digits"}}


def test_texts_of_an_earlier_import_leave_bad_documents_out():
    assert with_current_keys({"data": deepcopy(IMPORTED)}, Path("run"))["data"] == IMPORTED | {"on_bad": "skip"}


@pytest.mark.parametrize("data", [IMPORTED | {"on_bad": "error"}, IMPORTED | {"validation": 0.1}, IMAGES, None])
def test_other_data_stay_as_they_are(data):
    assert with_current_keys({"data": deepcopy(data)}, Path("run")) == {"data": data}
