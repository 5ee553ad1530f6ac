"""What a component is: families of densities, their priors, and the names that stand for them."""
