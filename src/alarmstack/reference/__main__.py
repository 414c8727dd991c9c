"""Writes the pages: `python -m alarmstack.reference docs`."""

import sys
from pathlib import Path

from alarmstack.core.plant import load_plant
from alarmstack.core.settings import Settings
from alarmstack.reference import PAGES

folder = Path(*sys.argv[1:2])
plant = load_plant(Settings.model_fields["plant"].default)
for name, page in PAGES.items():
    (folder / name).write_text(page(plant), encoding="utf-8")
    print(folder / name)
