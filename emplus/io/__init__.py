"""Model files: an open tensor format, written whole or not at all, read with suspicion.

A model file is a `safetensors <https://huggingface.co/docs/safetensors>`_ file, so that any
language can read its numbers and opening one never runs code. Its tensors are

- ``log_weights`` (k,): natural logarithms of the mixing weights;
- ``parameters.<name>``: the arrays of ``family.pack`` (for Gaussians ``means`` and
  ``covariances``, for factor analyzers ``means``, ``loadings`` and ``noise_variance``, or, where
  the loadings are common, ``offset``, ``basis``, ``factor_means``, ``factor_roots`` and
  ``noise_variance``);
- ``trace`` and ``log_likelihoods``: objective and log-likelihood at each pass over the data.

Its metadata hold one key, ``emplus``: a JSON object with

=================  ==================================================================
``format``         version of this layout, 1
``emplus``         version of the package that wrote the file
``estimator``      ``class``, ``params`` (constructor arguments) and ``omitted`` (names
                   of arguments that JSON cannot hold, left at their defaults on loading)
``family``         ``name`` and ``config``
``feature_names``  list of column names, or null
``fit``            ``outcome``, ``n_iter``, ``log_likelihood``, ``log_prior``,
                   ``objective``, ``n_rows``, ``total_weight``, ``seconds``
``digest``         SHA-256 over the rest of this object and over every tensor
=================  ==================================================================

That is format 1, a file of one mixture. An estimator that is not one mixture, such as a classifier,
has format 2: instead of ``family`` and ``fit``, ``n_features`` and ``facts``, which are what the
estimator says of itself besides its tensors. A mixture inside has the same members there and the
same tensors, with a prefix. Arguments that are estimators are in ``nested`` of ``estimator``.

The digest tells a damaged file from a whole one. It is no signature: whoever can write the file can
write the digest too, so everything read is checked besides.
"""

from emplus.io.atomic import replacing
from emplus.io.checkpoints import Checkpoint
from emplus.io.reading import load, read_header
from emplus.io.writing import save

__all__ = ["Checkpoint", "load", "read_header", "replacing", "save"]
