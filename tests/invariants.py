"""What holds for an inventory at any moment when nobody is changing it."""

from itertools import accumulate

from inventory.models import fold_sku


def check(service, product_ids):
    """Assert every invariant over the products that were ever created."""
    live = list(service.iterate_products())
    assert {product.id for product in live} <= set(product_ids)
    assert len({fold_sku(product.sku) for product in live}) == len(live)

    for product_id in product_ids:
        movements = service.list_movements(product_id, limit=10**6)
        stocks = [movement.stock for movement in movements]
        assert [movement.version for movement in movements] == list(range(1, len(movements) + 1))
        assert stocks == list(accumulate(movement.change for movement in movements))
        assert min(stocks) >= 0
        times = [movement.updated_at for movement in movements]
        assert times == sorted(set(times))

    for product in live:
        last = service.list_movements(product.id, after=product.version - 1)
        assert [(m.stock, m.updated_at) for m in last] == [(product.stock, product.updated_at)]
        assert service.list_products(sku=product.sku.swapcase()) == ([product], None)
