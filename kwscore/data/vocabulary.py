"""Words for the "unknown" class that synthetic voices say, and the words they must never say."""

from __future__ import annotations

from kwscore.constants import WORDS
from kwscore.data.held_out import UNHEARD_WORDS

RECORDED_WORDS = ("bed", "cat", "happy", "one", "zero")
"""Unknown words of which training has recordings: synthetic ones would add nothing."""

_HOMOPHONES = """
know noh write rite wright orf oph awf gogh yess upp doun layft to too fore for ate ait byrd burred dawg nein sics sicks
foreword haus sevn trie shiela hause won bead
"""
HOMOPHONES = frozenset(_HOMOPHONES.split())
"""Spellings that sound like a keyword, an unheard word or a recorded one."""

EXCLUDED = frozenset(WORDS) | UNHEARD_WORDS | frozenset(RECORDED_WORDS) | HOMOPHONES
"""Never in the vocabulary."""

_CONFUSABLE = """
yeah yet yell yellow yard yarn years guess chess dress press less mess west best test bless confess jazz yacht
nope nose note north noble nobody nor now new gnome notice noun moan mow low bow row toe sew though show snow
grow slow blow throw own bone cone phone zone loan flow glow crow knot
cup pup sup hub tub rub uptown upper upset abrupt hut shut but nut cut gulp apple opera
town dawn gown brown crown frown drown clown dune den done din dumb doubt bound round sound town noon mound dime
laugh lift lit let lend lest loft leaf theft cleft deaf chef bereft
light ride bright bite rat rate rice rise rhyme ripe white wide rife height fright night bride kite might riot
born an in aunt earn end john gone con swan yawn lawn drawn pond bond honor onward hand ant
of awful cough soft half have oft often orphan author oath cuff huff scoff
stock top shop step stuff stomp stump stoop stab stack chop hop drop crop mop prop swap shock star start spot
god got goal goat coat ghost gold girl good goose gore guard boat code cope coal bold dome hello
"""

_COMMON = """
able about above accept across act action active actor add adult advice afraid after again against age agree air album
alive all allow almost alone along already also always amaze amount angel anger angle angry animal ankle answer any
anyone apart appear april arch area argue arm army around arrive arrow art ask asleep attack attic autumn avenue
average avoid awake award away baby back bacon bad badge bag bake balance ball balloon banana band bank bar bargain
bark barn base basic basket bath battle beach bean bear beard beat beautiful beauty because become bee beef before
began begin behind being believe bell belong below belt bench bend beside better between beyond big bill bin birth
biscuit bitter black blame blank blanket blind block blood blossom blue board body boil book boot border borrow boss
both bother bottle bottom bowl box boy brain branch brave bread break breakfast breath breeze brick bridge bring broad
broken brother brush bubble bucket build bullet bundle burn burst bus bush business busy butter button buy cabin cable
cage cake calendar call calm camel camera camp can canal cancel candle candy cap capital captain car card care careful
carpet carry cart case castle catch cattle cause cave ceiling center century certain chain chair chalk chance change
channel chapter charge charm chase cheap check cheek cheer cheese cherry chest chew chicken chief child children
chimney chin chocolate choice choose church cinema circle city claim class clay clean clear clever click climb clock
close cloth cloud clue coach coast coffee coin cold collar collect college color comb come comfort common company
compare complete computer concert contain cook cool copper copy corn corner correct cost cotton count country couple
courage course court cousin cover cow crack cradle crash crazy cream credit cross crowd cruel cry cube cucumber
culture cupboard cure curl current curtain curve custom customer cycle dad daily damage dance danger dark date
daughter day dead deal dear debt decade decide deep deer degree delay deliver dentist desert design desk detail
develop diamond diary dictionary different difficult dinner direct dirt dish distance divide doctor doll dollar
dolphin donkey door double dragon dream drink drive driver dry duck dull during dust duty each eager ear early earth
easy eat echo edge effort egg elbow electric elephant eleven else empty enemy energy engine enjoy enough enter equal
error escape even evening event ever every exact example except excite excuse exercise exit expect expert explain
extra eye fable face fact factory fade fail fair fairy faith fall false family famous fancy far farm farmer fashion
fast fat father fault favor fear feather feed feel fence fever few field fifteen fifty fight figure file fill film
final find fine finger finish fire first fish fit flag flame flash flat flavor flight float flood floor flour flower
fly fog fold folk food foot forest forget forgive fork form forty fox frame free freedom fresh friday friend frog
front frost fruit full fun funny fur future gain gallery game garage garden garlic gas gate gather general gentle
giant gift ginger giraffe give glad glass globe glove glue gorilla grain grand grandma grape grass gray great green
grey grin ground group guest guide guitar gun guy habit hair hall hammer happen harbor hard harvest hat hate hazel
head health hear heart heat heaven heavy heel helmet help her here hero hidden hide high hill him history hit hobby
hold hole holiday hollow home honest honey hook hope horn horse hospital hot hotel hour how huge human humble humor
hundred hungry hunt hurry hurt husband ice idea image imagine inch include increase indoor ink insect inside invite
iron island issue ivory jacket jam january jar jealous jelly jewel job join joke journey joy judge juice july jump
june jungle junior just justice keep kettle key kick kid kill kind king kingdom kiss kitchen kitten knee knife knock
label labor lack ladder lady lake lamb lamp land language large laser last late later lava law lazy lead leader lean
leap leather leave lecture leg lemon leopard letter level library lie life limit line lion lip list listen little live
liver lizard local lock london long look lose lost lot loud love lovely lower loyal luck lucky lunch lung machine mad
magazine magic magnet mail main major make male mama man manage mango manner many map maple marble march margin mark
market marry mask mass master match matter may maybe mayor meal mean measure meat medal medicine medium meet melody
melon member memory mend mention menu merry metal method middle midnight mile milk million mind mine mineral minute
mirror miss mistake mix mobile model modern moment monday money monkey month moon more morning mosquito moss mother
motor mountain mouse mouth move movie much mud muffin multiply murder muscle museum mushroom music must mutton my
mystery nail name narrow nation nature naughty near neat neck need needle neighbor neither nephew nerve nest net
network never news next nice nickel noise normal november number nurse obey object ocean october odd oil okay old
olive olympic once onion open orange orchard order organ other otter our outdoor oven over owl oxygen oyster pack
package page pain paint pair palace pale palm pancake panda panel panic paper parade parcel pardon parent park parrot
part partner party pass past paste path patient pattern pause pay pea peace peach peacock peanut pear pen pencil
people pepper perfect period permit person pet photo piano pick picnic picture pie piece pig pigeon pillow pilot pin
pink pipe pirate pity pizza place plain plan planet plant plastic plate play please plenty plug plum pocket poem poet
point police polite pool poor pop popcorn popular port position possible post potato pound powder power practice
praise pray prefer pretty price pride prince print prison private prize problem produce program promise proof proper
protect proud public pudding pull pump punish pupil puppy pure purple purpose purse push puzzle pyramid quality
quarter queen question quick quiet quilt quite rabbit race radio railway rain rainbow raise random range rapid rare
raw razor reach read ready real reason receive recent recipe record red reduce regret relax remain remember remote
remove repair repeat reply report rescue respect rest result return reward ribbon rich rifle ring ripple rival river
road roast robin robot rock rocket roll roof room root rope rose rough route royal rubber rude ruin ruler rumor run
rural rush sack sad saddle safe safety said sail salad salmon salt same sand sandwich satin saturday sauce sausage
save say scale scarf school science scissors score scream screen sea search season seat second secret see seed seem
sell send senior sense sentence september serious servant service settle several shadow shake shallow shape share
shark sharp shave shed sheep sheet shelf shell shelter shine ship shirt shoe shore short shoulder shout shovel shower
shy sick side sight sign signal silent silk silly silver similar simple since sing single sink sister sit size skate
ski skill skin skirt sky sleep sleeve slice slide slip slipper small smart smell smile smoke smooth snail snake sneeze
soap sock soda sofa soil soldier solid solve some son song soon sorry sort soul soup sour south space spark speak
special speech speed spell spend spice spider spin spirit spoil spoon sport spray spread spring square squirrel stable
stadium stage stair stamp stand state station statue stay steak steal steam steel stem stick stiff still sting stomach
stone stool store storm story stove strange stranger straw stream street stretch strike string strong student study
style subject such sudden suffer sugar suit summer sun sunday sunny sunshine super supper supply support sure surface
surprise swallow sweater sweet swim swing switch sword symbol system table tackle tail tailor take tale talent talk
tall tame tank tap tape target task taste taxi tea teach teacher team tear teeth television tell temper temple tennis
tent thank that them then there these thick thief thin thing think third thirsty thirty this thousand thread throat
through thumb thunder thursday ticket tidy tie tiger tight till time tin tiny tip tired title toast today together
tomato tomorrow tone tongue tonight tool tooth topic torch total touch tour toward towel tower toy track trade traffic
train travel treasure treat triangle trick trip tropic trouble truck true trumpet trust truth try tube tuesday tunnel
turkey turn turtle twelve twenty twice twin twist type ugly umbrella uncle under unit until urban urge use usual
valley value vanilla vase vegetable velvet very village vine violet violin virus visit voice volcano volume vote
voyage wagon waist wake walk wall wallet walnut want war warm wash watch water wave wax way weak wealth wear weather
web wedding wednesday week weigh welcome well wet whale what wheat wheel when where which while whisper whistle who
whole why wife wild will win wind window wine wing winter wire wise wish with witness wolf woman wonder wood wooden
wool word work world worm worry wound wrap wrist wrong yawl yoga young your zebra zipper zoo
"""

CONFUSABLE_WORDS: tuple[str, ...] = tuple(dict.fromkeys(_CONFUSABLE.split()))
"""Words that share sounds with the ten keywords."""

UNKNOWN_VOCABULARY: tuple[str, ...] = tuple(dict.fromkeys((*CONFUSABLE_WORDS, *_COMMON.split())))
"""About 1,700 English words of one to three (a few four) syllables, none in ``EXCLUDED``; near-confusable first."""
