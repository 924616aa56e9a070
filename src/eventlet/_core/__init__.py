"""The core: green threads park on a hub; everything else is park, wake and interrupt."""
