"""The sample city: restaurants with menus, couriers, customers. Prices are in euros."""

from __future__ import annotations

from typing import NamedTuple


class Dish(NamedTuple):
    name: str
    price: float


class Restaurant(NamedTuple):
    """`pace` is the time its kitchen takes, relative to the average."""

    id: str
    name: str
    pace: float
    menu: tuple[Dish, ...]


class Courier(NamedTuple):
    id: str
    name: str


class Customer(NamedTuple):
    id: str
    address: str


CURRENCY = "EUR"
RESTAURANTS = (
    Restaurant(
        "trattoria-bella",
        "Trattoria Bella",
        1.0,
        (
            Dish("Margherita", 9.5),
            Dish("Tagliatelle al ragù", 13.5),
            Dish("Insalata caprese", 8.0),
            Dish("Tiramisù", 6.0),
        ),
    ),
    Restaurant(
        "sakura",
        "Sakura Sushi",
        0.8,
        (Dish("Salmon nigiri", 7.5), Dish("Avocado maki", 5.5), Dish("Miso soup", 4.0), Dish("Chirashi", 16.5)),
    ),
    Restaurant(
        "taj",
        "Taj Garden",
        1.2,
        (Dish("Chana masala", 11.0), Dish("Chicken tikka", 14.0), Dish("Garlic naan", 3.5), Dish("Mango lassi", 4.5)),
    ),
    Restaurant(
        "lotus",
        "Lotus Kitchen",
        0.9,
        (Dish("Phở bò", 12.5), Dish("Summer rolls", 6.5), Dish("Bún chả", 13.0), Dish("Jasmine tea", 3.0)),
    ),
    Restaurant(
        "casa-lola",
        "Casa Lola",
        1.1,
        (Dish("Tacos al pastor", 10.5), Dish("Quesadilla", 8.5), Dish("Guacamole", 5.0), Dish("Horchata", 3.5)),
    ),
    Restaurant(
        "cedar",
        "Cedar House",
        1.0,
        (Dish("Falafel plate", 10.0), Dish("Shish taouk", 13.0), Dish("Fattoush", 7.0), Dish("Baklava", 4.5)),
    ),
)
COURIERS = tuple(Courier(name.lower(), name) for name in ("Amina", "Ben", "Chloe", "Diego", "Emre", "Freya", "Goran"))
STREETS = ("Mill Lane", "Harbour Street", "Station Road", "Park Avenue", "Church Street", "Garden Row", "Bridge Street")
CUSTOMERS = tuple(
    Customer(f"customer-{number}", f"{number * 7 % 60 + 1} {STREETS[number % len(STREETS)]}") for number in range(1, 41)
)
