"""The CSV report."""

import csv
import io


def test_the_report_has_a_row_for_each_product(client, laptop):
    """The report is a CSV attachment with a header and the columns that it names."""
    response = client.get("/reports/inventory.csv")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=inventory.csv"
    assert response.text == (
        "id,name,sku,stock,reorderLevel,status,createdAt,updatedAt\r\n"
        f"{laptop['id']},Laptop,LTP-123,20,5,IN_STOCK,"
        f"{laptop['createdAt']},{laptop['updatedAt']}\r\n"
    )


def test_cells_are_quoted_where_they_must_be(client):
    """Commas, quotes and other scripts come through a CSV reader unchanged."""
    name = 'A "big", 東京 laptop'
    client.post("/products", json={"name": name, "sku": "a,b"})

    _, row = csv.reader(io.StringIO(client.get("/reports/inventory.csv").text, newline=""))

    assert row[1:3] == [name, "a,b"]


def test_cells_are_no_formulas(client):
    """Text that a spreadsheet would run is made inert; text that merely holds a sign is not."""
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)"]
    for name in [*formulas, "1-1", "a=b"]:
        client.post("/products", json={"name": name, "sku": name})

    rows = list(csv.reader(io.StringIO(client.get("/reports/inventory.csv").text)))[1:]

    cells = [*(f"'{name}" for name in formulas), "1-1", "a=b"]
    assert [row[1:3] for row in rows] == [[cell, cell] for cell in cells]


def test_the_report_can_be_of_one_status(client, laptop):
    """With a status, the report has only the products that have it."""
    client.post("/products", json={"name": "Phone", "sku": "PHN-7"})

    assert "Phone" not in client.get("/reports/inventory.csv?status=IN_STOCK").text
    assert "Laptop" not in client.get("/reports/inventory.csv?status=LOW_STOCK").text


def test_the_report_is_streamed(app, client):
    """The first bytes are there before a product is looked at, and some rows before the last."""
    service = app.extensions["inventory"]
    for number in range(2000):
        service.create_product("Laptop", f"LTP-{number}")
    response = client.get("/reports/inventory.csv", buffered=False)
    chunks = response.iter_encoded()

    header = next(chunks)
    first = service.get_product(next(iter(service.iterate_products())).id)
    service.add_stock(first.id, 7)
    rows = next(chunks)
    last = list(service.iterate_products())[-1]
    service.add_stock(last.id, 9)
    rest = b"".join(chunks)

    assert header.count(b"\r\n") == 1
    assert b"LTP-0,7," in rows
    assert b"LTP-1999,9," in rest
