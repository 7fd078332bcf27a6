"""Recoding: values of public data sets become cardiac labels."""

import numpy as np
import pytest

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.io.files import write_label_map
from StructDiffCore.io.label_tables import TABLES
from StructDiffCore.io.recoding import read_in_scheme, recoded


def of_values(*values):
    """Each value as a sheet of four voxels."""
    voxels = np.repeat(np.array(values, np.uint16), 4).reshape(-1, 2, 2)
    return LabelMap(voxels, Geometry(voxels.shape), LabelScheme.from_values(values))


def test_values_become_cardiac_and_the_rest_background():
    assert recoded(of_values(205, 500, 7, 820), TABLES["mm-whs"]).voxels[:, 0, 0].tolist() == [1, 3, 0, 6]


def test_a_mask_without_any_of_the_values_is_refused():
    with pytest.raises(StructDiffError, match="none of the mask's labels"):
        recoded(of_values(11, 12), TABLES["mm-whs"])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_leads_to_cardiac_labels_each_once(name):
    found = list(TABLES[name].values())
    assert len(set(found)) == len(found)
    assert not CARDIAC.unknown(found)


def test_a_file_is_read_by_the_name_of_its_data_set(tmp_path):
    write_label_map(of_values(1, 2, 3), tmp_path / "trees.nii.gz")
    found = read_in_scheme(tmp_path / "trees.nii.gz", "aorta-coronaries")
    assert found.voxels[:, 0, 0].tolist() == [6, 8, 9]
    assert found.scheme is CARDIAC


def test_the_reference_atlas_heart_has_all_nine_labels():
    folder = shared_data_folder()
    if folder is None:
        pytest.skip("no ../shared/data here")
    path = folder / "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz"
    assert read_in_scheme(path, "hubmap-hra").present == tuple(range(1, 10))
