"""Feature maps fitted to a target's own records, one a file; importing this package registers them all."""

from headwater.statistics.feature_maps.degree2 import Degree2
from headwater.statistics.feature_maps.histogram import Histogram
from headwater.statistics.feature_maps.last_layer import LastLayer
from headwater.statistics.feature_maps.lifted import FEATURE_MAPS, Lifted
from headwater.statistics.feature_maps.ntk import Ntk
from headwater.statistics.feature_maps.random_fourier import RandomFourier

__all__ = ["FEATURE_MAPS", "Degree2", "Histogram", "LastLayer", "Lifted", "Ntk", "RandomFourier"]
