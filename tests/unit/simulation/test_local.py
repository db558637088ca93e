from headwater.simulation.hospitals import Region, roster
from headwater.simulation.local import local_items
from headwater.simulation.reference import items


def test_local_codes_are_unique_and_local_names_are_names() -> None:
    region = Region(hospitals=16)
    for hospital in roster(region):
        local = local_items(region, hospital)
        assert len(set(local.code)) == len(local.code)
        assert all(name.strip() == name and name and "," not in name and '"' not in name for name in local.name)
        assert (local.price_fen > 0).all()


def test_services_are_named_apart_so_that_lists_have_keys() -> None:
    region = Region()
    for hospital in roster(region):
        local = local_items(region, hospital)
        services = [(local.code[n], local.name[n]) for n, item in enumerate(items()) if item.kind == "service"]
        assert len(set(services)) == len(services)


def test_small_hospitals_carry_less_but_all_that_operations_need() -> None:
    region = Region()
    carried = {hospital.level: local_items(region, hospital).carried for hospital in roster(region)}
    assert carried[3].all()
    assert carried[1].sum() < carried[2].sum() < carried[3].sum()
    needed = [n for n, item in enumerate(items()) if item.group == "06" or item.flag == "implant"]
    assert carried[1][needed].all()


def test_hospitals_spell_differently_and_price_alike() -> None:
    region = Region()
    names = [local_items(region, hospital).name for hospital in roster(region)]
    differing = sum(len({spelled[n] for spelled in names}) > 2 for n in range(len(items())))
    assert differing > 0.6 * len(items())
    for hospital in roster(region):
        local = local_items(region, hospital)
        for n, item in enumerate(items()):
            if item.kind == "drug" and item.price_fen > 500:
                assert 0.9 < local.price_fen[n] / item.price_fen < 1.1


def test_a_list_depends_on_seed_and_hospital_alone() -> None:
    here = roster(Region(hospitals=3, months=2, stays=200))[2]
    first = local_items(Region(hospitals=3, months=2, stays=200), here)
    again = local_items(Region(hospitals=9, months=7, stays=900), roster(Region(hospitals=9, months=7, stays=900))[2])
    assert (first.name, first.code) == (again.name, again.code)
    other = local_items(Region(hospitals=3, months=2, stays=200, seed=1), here)
    assert other.code != first.code
