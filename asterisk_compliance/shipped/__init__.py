"""What the package ships as data: purposes, prompts, presets, emergency numbers, duties."""
