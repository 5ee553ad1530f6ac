"""The data sets that are known by name: a table, and nothing that reads files."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ALIASES", "CATALOG", "Entry", "Listing"]


@dataclass(frozen=True)
class Entry:
    """One row of the catalog.

    Parameters
    ----------
    n_rows, n_features : int
        Shape of the rows to fit (the training part where there is a split).
    description, source : str
        What a row is; whom to cite.
    sklearn : str or None
        Name of the scikit-learn function that has it, for what scikit-learn bundles.
    openml : int or None
        Its number at OpenML.
    total_rows : int or None
        Rows of all parts together at OpenML, where the first ``n_rows`` are the published
        training part. None: OpenML's copy cannot be split as published.
    target : str or None
        The column of labels in a CSV file.
    """

    n_rows: int
    n_features: int
    description: str
    source: str
    sklearn: str | None = None
    openml: int | None = None
    total_rows: int | None = None
    target: str | None = None


@dataclass(frozen=True)
class Listing:
    """What ``describe`` says of one data set.

    Parameters
    ----------
    name : str
    n, d : int or None
        Rows and columns; None for a file that the catalog does not know and that has not been read.
    description, source : str
    origin : str
        ``"bundled"``, ``"scikit-learn"``, ``"file"``, ``"OpenML"`` (fetched when asked for) or
        ``"absent"``.
    path : str or None
        The file, where the origin is one.
    """

    name: str
    n: int | None
    d: int | None
    description: str
    source: str
    origin: str
    path: str | None = None

    @property
    def here(self) -> bool:
        """Whether ``load`` needs neither a network nor a file that is not there."""
        return self.origin in ("bundled", "scikit-learn", "file")


_FISHER = "Fisher 1936, Annals of Eugenics 7, 179-188"
_VEENMAN = "Veenman, Reinders and Backer 2002, IEEE TPAMI 24(9), 1273-1280"
_POLCA = "as shipped with R's poLCA (Linzer and Lewis 2011, J. Statistical Software 42(10))"

CATALOG = MappingProxyType(
    {
        "faithful": Entry(
            272, 2,
            "Old Faithful geyser: duration of an eruption and waiting time to the next, minutes.",
            "Härdle 1991, Smoothing Techniques with Implementation in S; Azzalini and Bowman"
            " 1990, Applied Statistics 39, 357-365; R's datasets::faithful",
        ),
        "iris": Entry(150, 4, "Sepals and petals of three species of iris.", _FISHER, "load_iris"),
        "wine": Entry(
            178, 13, "Chemical analyses of wines from three cultivars.",
            "Forina et al. 1988; UCI Wine", "load_wine",
        ),
        "digits": Entry(
            1797, 64, "Handwritten digits, 8 x 8 pixels of 0..16.",
            "Alpaydin and Kaynak 1998; UCI Optical Recognition of Handwritten Digits (test part)",
            "load_digits",
        ),
        "breast_cancer": Entry(
            569, 30, "Cell nuclei in breast masses, malignant or benign.",
            "Street, Wolberg and Mangasarian 1993; UCI Breast Cancer Wisconsin (Diagnostic)",
            "load_breast_cancer",
        ),
        "r15": Entry(600, 2, "15 round clusters on two rings.", _VEENMAN),
        "s2": Entry(
            5000, 2, "15 overlapping Gaussian clusters.",
            "Fränti and Virmajoki 2006, Pattern Recognition 39(5), 761-765",
        ),
        "a2": Entry(5250, 2, "35 clusters of 150 points.", "Kärkkäinen and Fränti 2002, A-2002-6"),
        "d31": Entry(3100, 2, "31 round clusters, close together.", _VEENMAN),
        "birch1": Entry(
            100_000, 2, "100 clusters on a 10 x 10 grid.",
            "Zhang, Ramakrishnan and Livny 1997, Data Mining and Knowledge Discovery 1, 141-182",
        ),
        "letter": Entry(
            16_000, 16, "Attributes of the 26 capital letters in 20 fonts.",
            "Frey and Slate 1991, Machine Learning 6, 161-182; UCI Letter Recognition",
            openml=6, total_rows=20_000,
        ),
        "satellite": Entry(
            4435, 36, "Landsat: four spectral bands in a neighbourhood of 3 x 3 pixels, 6 soils.",
            "Statlog (Landsat Satellite), UCI", openml=182,
        ),
        "vowel": Entry(
            528, 10, "Log area ratios of 11 English vowels, speakers 0-7 train and 8-14 test.",
            "Deterding 1989; Robinson 1989; UCI Connectionist Bench (Vowel)",
            openml=307, total_rows=990,
        ),
        "mnist_784": Entry(
            60_000, 784, "Handwritten digits, 28 x 28 pixels of 0..255.",
            "LeCun, Bottou, Bengio and Haffner 1998, Proc. IEEE 86(11), 2278-2324",
            openml=554, total_rows=70_000,
        ),
        "usps": Entry(
            7291, 256, "Handwritten digits from zip codes, 16 x 16 pixels of -1..1.",
            "Le Cun et al. 1990, NIPS 2",
        ),
        "semeion": Entry(
            1593, 256, "Handwritten digits, 16 x 16 black or white pixels.",
            "Semeion Research Center; UCI Semeion Handwritten Digit",
        ),
        "frey_faces": Entry(
            1965, 560, "One face in motion, 28 x 20 pixels.", "Roweis, Saul and Hinton 2002",
        ),
        "nltcs": Entry(
            16_181, 16, "Disabilities in the National Long Term Care Survey, yes or no.",
            "Lowd and Davis 2010",
        ),
        "plants": Entry(
            17_412, 69, "States and countries in which a plant grows, yes or no.",
            "Van Haaren and Davis 2012",
        ),
        "mushrooms": Entry(
            2000, 112, "Properties of mushrooms, yes or no.", "Larochelle and Murray 2011",
        ),
        "carcinoma": Entry(
            118, 7, "Seven pathologists on 118 slides: 1 no carcinoma, 2 carcinoma.",
            f"Agresti 2002, Categorical Data Analysis; {_POLCA}",
        ),
        "cheating": Entry(
            319, 5, "Students on four kinds of cheating (1 no, 2 yes); GPA is a covariate.",
            f"Dayton 1998, Latent Class Scaling Analysis; {_POLCA}",
        ),
        "gss82": Entry(
            1202, 4, "Attitudes to surveys in the General Social Survey of 1982.",
            f"McCutcheon 1987, Latent Class Analysis; {_POLCA}",
        ),
        "house_votes_84": Entry(
            435, 16, "Sixteen votes of each member of the U.S. House in 1984; 392 are missing.",
            "UCI Congressional Voting Records", target="Class",
        ),
        "zoo": Entry(
            101, 16, "Animals: 15 properties, yes or no, and the number of legs.",
            "UCI Zoo", target="type",
        ),
    }
)  # fmt: skip

# Other names by which people know them.
ALIASES = MappingProxyType({"satimage": "satellite", "mnist": "mnist_784"})
