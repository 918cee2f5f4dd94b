"""What must hold: one Spec a component, the universal laws, and the judge."""


def load():
    """Every Spec that comes with lawbook, by component."""
    from lawbook.spec_tests.spec import registry

    return registry()
